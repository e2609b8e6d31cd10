"""RealFusion's field, its cameras and its losses against their golden cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.mesh import Mesh
from monoform.methods.realfusion import losses
from monoform.methods.realfusion.annealed import annealed
from monoform.methods.realfusion.cameras import (
    LABELS,
    Jitter,
    angles_of,
    look_at,
    on_sphere,
    rays,
    upper_box,
    view_labels,
)
from monoform.methods.realfusion.films import CHANNELS, COLUMNS, FPS, LIT, QUALITY, channels, orbit_poses, pictures
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.methods.realfusion.published import field_config, fill_field
from monoform.methods.realfusion.rendering import Look, Seen, render, render_chunks, unit_light
from monoform.methods.realfusion.shading import normals, shade, slope_by_differences, unit
from monoform.render.occupancy import DECAY

RENDERED = {"image": "image", "depth": "depth", "weights_sum": "alpha", "normals": "normals", "mask": "hit"}


def config_of(config: Any) -> FieldConfig:
    """The field that a part of a manifest describes."""
    config.one_of("cuda_ray", True)
    config.one_of("min_near", 0.1)  # which the published code does not use
    return replace(
        field_config(config),
        kind={"tiledgrid": "tiled", "hashgrid": "hash"}[config["encoding"]],
        log2_hashmap_size=config["log2_hashmap_size"],
        features=config["level_features"],
        hidden=config["hidden"],
        layers=config["layers"],
        background_hidden=config["bg_hidden"] if config["bg_radius"] > 0 else 0,
        background_layers=config["bg_layers"],
        normal_epsilon=config["normal_epsilon"],
        density_gradient_limit=float(config.get("density_gradient_limit", 15)),
        nearest=config.get("march_min_near", 0.2),
    )


def field_of(case: Case, config: Any = None, *, hidden: int | None = None) -> RealFusionField:
    """The field of a case, with the occupied cells that it gives."""
    config = case.config if config is None else config
    field = RealFusionField(config_of(config))
    state = {name: torch.from_numpy(values) for name, values in fill_state(case.manifest).items()}
    own = {name: values for name, values in state.items() if not name.startswith(("vae.", "unet.", "text."))}
    for name in ("aabb_train", "aabb_infer"):
        box = torch.tensor([-config["bound"]] * 3 + [config["bound"]] * 3)
        assert torch.equal(own[name], box), f"{name} is another box than the bound's"
    fill_field(field, own, str(case.folder))
    if "bitfield" in case.manifest["inputs"]:
        field.occupancy.density_bitfield.copy_(case.tensor("bitfield"))
        field.occupancy.unpack()
    field.hide_levels(config["grid_levels_mask"] if hidden is None else hidden)
    return field


def compare_seen(case: Case, seen: Seen, names: Mapping[str, str]) -> None:
    """What rays see, against the arrays of those names, in their shapes."""
    for golden, ours in names.items():
        case.compare(golden, getattr(seen, ours).reshape(case.arrays[golden].shape))


@check("realfusion", "cameras")
def cameras(case: Case) -> None:
    config = case.config
    assert tuple(config["labels"]) == LABELS
    sectors = {"front": config["angle_front"], "overhead": config["angle_overhead"], "centered": False}
    for name, options in config["groups"].items():
        low, high = config["radius_range"]
        radius = low + (high - low) * case.tensor(f"{name}.draw_radius")
        if options["uniform_sphere"]:
            direction = upper_box(torch.stack([case.tensor(f"{name}.draw_u{axis}") for axis in range(3)], dim=-1))
            angles = angles_of(direction)
            centers = direction * radius[:, None]
        else:
            spans = (config["theta_range"], config["phi_range"])
            draws = (case.tensor(f"{name}.draw_{angle}") for angle in ("theta", "phi"))
            angles = tuple(
                torch.deg2rad(draw * (end - start) + start) for draw, (start, end) in zip(draws, spans, strict=True)
            )
            centers = on_sphere(*angles, radius)
        jitter = None
        if options["jitter"]:
            jitter = Jitter(*(case.tensor(f"{name}.draw_jit_{part}") for part in ("center", "target", "up")))
        case.compare(f"{name}.poses", look_at(centers, mirrored=True, jitter=jitter))
        case.compare(f"{name}.dirs", view_labels(*angles, **sectors))
    theta, phi = torch.deg2rad(case.tensor("circle_theta")), torch.deg2rad(case.tensor("circle_phi"))
    poses = look_at(on_sphere(theta, phi, float(config["circle_radius"])), mirrored=True)
    case.compare("circle_poses", poses)
    case.compare("circle_dirs", view_labels(theta, phi, **sectors))
    asked = config["rays"]
    origins, directions = rays(poses[asked["poses"]], float(asked["fovy"]), asked["size"][1], asked["size"][0])
    case.compare("rays_o", origins)
    case.compare("rays_d", directions)
    case.compare("view_label", view_labels(case.tensor("view_theta"), case.tensor("view_phi"), **sectors))


@check("realfusion", "network")
@torch.no_grad()
def network(case: Case) -> None:
    field, points = field_of(case), case.tensor("x")
    case.compare("features", field.encoder(points))
    case.compare("blob", field.blob(points))
    case.compare("background", field.background(case.tensor("d")))
    for hidden in case.config["masks"]:
        field.hide_levels(hidden)
        density, albedo = field.query(points)
        slope = slope_by_differences(field, points)
        found = {"sigma": density, "albedo": albedo, "raw_normal": slope, "normal": unit(slope)}
        for shading in ("lambertian", "textureless", "normal"):
            lit = shade(albedo, unit(slope), case.tensor("light"), shading, case.config["ambient_ratio"])
            found[f"color_{shading}"] = lit
        for name, values in found.items():
            case.compare(f"mask{hidden}.{name}", values)


@check("realfusion", "occupancy")
@torch.no_grad()
def occupancy(case: Case) -> None:
    config = case.config
    field, seeds = field_of(case), case.manifest["seeds"]["jitter"]["seeds"]
    grid = field.occupancy
    assert (config["cells"], config["cascades"]) == (grid.cells, grid.cascades)
    config.one_of("mode", "train")
    assert len(seeds) == config["updates"]
    assert config["jitter_shape"] == [grid.cascades, grid.cells**3, 3]
    update_with(field, seeds, config["decay"])
    threshold = min(grid.mean_density, grid.density_threshold)
    case.compare("mean_density", np.float32(grid.mean_density))
    case.compare("thresh", np.float32(threshold))
    case.compare("bitfield", grid.density_bitfield)
    case.compare("occupied_fraction", grid.occupied.float().mean())
    case.compare("iter_density", np.int32(len(seeds)))
    case.compare("sample_value", grid.density_grid.flatten()[case.tensor("sample_index").long()])


def update_with(field: RealFusionField, seeds: Sequence[int], decay: float) -> None:
    """Updates whose jitter is drawn by NumPy, for cells in the order x, y, z."""
    grid = field.occupancy
    for seed in seeds:
        draws = np.random.default_rng(seed).random((grid.cascades, grid.cells**3, 3), dtype=np.float32)
        grid.density_grid.mul_(decay)
        for cascade, jitter in enumerate(torch.from_numpy(draws)):
            points = grid.cell_points(cascade, grid.order)
            points = points + (2.0 * jitter - 1.0) * (grid.extent(cascade) / grid.cells)
            found = torch.cat([field.density(part) for part in points.split(1 << 18)])
            own = grid.density_grid[cascade]
            own[grid.order] = torch.maximum(own[grid.order], found)
    grid.mark()


@check("realfusion", "render_eval")
def render_eval(case: Case) -> None:
    config = case.config
    field = field_of(case)
    config.one_of("perturb", False)
    config.one_of("mode", "eval")
    height, width = config["image_size"]
    for ours, golden in zip(rays(case.tensor("pose"), float(config["fovy"]), width, height), "od", strict=True):
        assert torch.allclose(ours, case.tensor(f"rays_{golden}"), atol=2e-6)
    origins, directions = case.tensor("rays_o")[0], case.tensor("rays_d")[0]
    for name, options in config["shadings"].items():
        look = Look(name, options["ambient_ratio"], case.tensor("light"), background=config["bg_color"])
        seen = render_chunks(field, origins, directions, look)
        compare_seen(case, seen, {f"{name}.{golden}": ours for golden, ours in RENDERED.items()})


@check("realfusion", "render_train")
def render_train(case: Case) -> None:
    config = case.config
    field = field_of(case)
    config.one_of("mode", "train")
    config.one_of("perturb", True)
    origins, directions = case.tensor("rays_o")[0], case.tensor("rays_d")[0]
    assert len(origins) == config["image_size"][0] * config["image_size"][1]
    look = Look(
        config["shading"],
        config["ambient_ratio"],
        unit_light(origins, case.tensor("draw_light")),
        case.tensor("draw_march"),
        zero_depth_clock=True,
    )
    seen, sampled = render(field, origins, directions, look)
    compare_seen(case, seen, {name: RENDERED[name] for name in ("image", "depth", "weights_sum", "normals")})
    draws = case.tensor("draw_normal_perturb")
    count = len(sampled.points)
    case.compare("sample_count", np.array([count, len(origins)], np.int32))
    padded = count + 128 - count % 128
    assert padded == len(draws)
    orient = losses.orientation(sampled.density, sampled.normals, sampled.toward, padded)
    points = torch.cat((sampled.points, torch.zeros(padded - count, 3)))
    smooth = losses.smoothness(normals(field, points), normals(field, points + config["normal_perturb"] * draws))
    case.compare("loss_orient", orient)
    case.compare("loss_smooth", smooth)
    weights = config["loss_weights"]
    total = weights["orient"] * orient + weights["smooth"] * smooth
    for name, values in (("image", seen.image), ("weights_sum", seen.alpha), ("normals", seen.normals)):
        total = total + weights[name] * (values * case.tensor(f"up_{name}").reshape(values.shape)).sum()
    case.compare("loss", total)
    field.zero_grad()
    total.backward()
    compare_gradients(case, field, "grad", config["stored_rows"])


def compare_gradients(case: Case, field: RealFusionField, prefix: str, stored: int, join: str = ".") -> None:
    """Gradients of the small parameters, and the norm and some rows of the table's."""
    for name, parameter in field.named_parameters():
        if not name.startswith("encoder."):
            case.compare(f"{prefix}.{name}", parameter.grad)
    table = field.encoder.embeddings.grad
    rows = case.tensor("grad_embeddings_rows").long()
    assert len(rows) == stored
    tables = "grad_embeddings" if prefix == "grad" else f"{prefix}_embeddings"
    case.compare(f"{tables}_norm", table.norm())
    case.compare(f"{tables}_values", table[rows])


@check("realfusion", "losses")
def regularisers(case: Case) -> None:
    config = case.config
    steps, total = case.array("steps"), config["iters"]
    for name, value in config["anneal"].items():
        ours = [annealed(" ".join(map(str, value)), int(step), total, published=True) for step in steps]
        case.compare(name, np.asarray(ours, np.float32))
    clamp = config["entropy_clamp"]
    blur = config["smooth_2d"]
    blur.one_of("padding", "reflect")
    alpha = case.tensor("weights_sum").requires_grad_()
    for name, loss in (
        ("opacity", losses.opacity(alpha.flatten())),
        ("entropy", losses.entropy(alpha.flatten(), clamp)),
    ):
        case.compare(f"loss_{name}", loss)
        case.compare(f"grad_{name}", torch.autograd.grad(loss, alpha)[0])
    maps = case.tensor("normals").requires_grad_()
    case.compare("normals_blur", losses.blurred(maps, blur["kernel"], blur["sigma"]))
    loss = losses.map_smoothness(maps, blur["kernel"], blur["sigma"])
    case.compare("loss_smooth_2d", loss)
    case.compare("grad_smooth_2d", torch.autograd.grad(loss, maps)[0])
    truth = case.tensor("gt_opacity")[0, :, 0]
    case.compare("loss_image", losses.photo_color(case.tensor("pred_rgb")[0], case.tensor("gt_rgb")[0], truth))
    case.compare("loss_mask", losses.photo_mask(case.tensor("pred_opacity")[0, :, 0], truth))
    normal = case.tensor("n")
    case.compare("loss_orient", losses.orientation(case.tensor("sigmas"), normal, case.tensor("d")))
    case.compare("loss_smooth", losses.smoothness(normal, case.tensor("n_perturbed")))


@check("realfusion", "mesh_grid")
@torch.no_grad()
def mesh_grid(case: Case) -> None:
    config, field = case.config, field_of(case)
    config.one_of("threshold", "min(mean density, density threshold)")
    count, (low, high) = config["resolution"], config["box"]
    axis = torch.linspace(low, high, count)
    density = field.density(torch.cartesian_prod(axis, axis, axis)).reshape(count, count, count)
    case.compare("sigma", density)
    # That of the grid after as many updates as the cases of occupancy have, with their draws.
    update_with(field, case.manifest["seeds"].get("jitter", {}).get("seeds", (80, 81)), DECAY)
    threshold = min(field.occupancy.mean_density, field.occupancy.density_threshold)
    case.compare("thresh", np.float32(threshold))
    # Seen from inside, this one cuts cells that can be cut in two ways as the published one does.
    vertices, faces, _, _ = marching_cubes(-density.numpy(), -threshold, method="lorensen")
    cell = (high - low) / (count - 1)
    vertices = vertices * cell + low
    golden = case.arrays["vertices"]
    for name, found in (("n_vertices", len(vertices)), ("n_faces", len(faces))):
        wanted = int(case.arrays[name])
        case.compare_within(name, abs(found - wanted), case.limit(name, "rel") * wanted)
    corners = np.stack((vertices.min(axis=0), vertices.max(axis=0)))
    case.compare_within("bbox", np.abs(corners - case.arrays["bbox"]).max(), case.limit("bbox", "cells") * cell)
    area = float(Mesh(vertices, faces.astype(np.int64)).face_areas.sum())
    golden_area = float(case.arrays["area"])
    case.compare_within("area", abs(area - golden_area), case.limit("area", "rel") * golden_area)
    gaps = [cKDTree(one).query(other)[0].max() for one, other in ((vertices, golden), (golden, vertices))]
    case.compare_within("vertices", max(gaps), case.limit("vertices", "cells") * cell)


@check("realfusion", "six_channel_frames")
def six_channel_frames(case: Case) -> None:
    config, field = case.config, field_of(case)
    for name, known in (("mode", "eval"), ("perturb", False), ("normals", "as composited, not (n + 1) / 2")):
        config.one_of(name, known)
    assert config["bg_color"] == 1.0 and config["channels"] == [*CHANNELS, "grid"]
    assert config["grid"] == {"columns": COLUMNS, "padding": 0, "order": ["input", *CHANNELS]}
    assert config["shadings"]["rgb"]["ambient_ratio"] == 1.0
    assert config["shadings"]["textureless"]["ambient_ratio"] == LIT
    assert (config["film"]["fps"], config["film"]["quality"]) == (FPS, QUALITY)
    assert config["azimuth_step"] == 360.0 / config["frames"]
    count, (size, width) = config["frames"], config["image_size"]
    assert size == width
    fov = sum(config["fovy_range"]) / 2
    elevation = 90.0 - config["pose_angle"]
    poses = orbit_poses(count, elevation, config["radius"], mirrored=True)
    for ours, golden in zip(rays(poses, fov, size, size), "od", strict=True):
        case.compare(f"rays_{golden}", ours)
    case.compare("dirs", view_labels(*angles_of(unit(poses[:, :3, 3])), centered=False))
    case.compare("out_light", torch.stack([unit_light(place[None]) for place in poses[:, :3, 3]]))
    seen = [channels(field, pose, fov, size) for pose in poses]
    for name in CHANNELS:
        case.compare(f"out_{name}", torch.stack([found[name] for found in seen]))
    photo = case.tensor("rgba")[0, ..., :3]
    drawn = [pictures(found, photo, centered_normals=False) for found in seen]
    for name in (*CHANNELS, "grid"):
        case.compare(f"frames_{name}", np.stack([shown[name] for shown in drawn]))
