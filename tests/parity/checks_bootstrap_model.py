"""Bootstrapped inversion's generator against its golden cases."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.bootstrap.cameras import camera_of, pixels_of
from monoform.methods.bootstrap.config import PUBLISHED, BootstrapConfig, Network, Rays, Scene
from monoform.methods.bootstrap.decoder import PointSamples
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, DiscriminatorConfig
from monoform.methods.bootstrap.model import BootstrapGenerator
from monoform.methods.bootstrap.palette import as_color
from monoform.methods.bootstrap.pose_parameters import condition_vectors
from monoform.methods.bootstrap.presets import preset
from monoform.methods.bootstrap.regularizers import (
    JITTER,
    laplace_pdf,
    path_lengths,
    shape_terms,
    stratified_points,
)
from monoform.methods.bootstrap.rendering import Maps, limits, places_of, sampling_of, see
from monoform.nn.field import FieldSamples
from monoform.nn.plane_decoder import PlaneDecoder
from monoform.nn.stylegan2 import (
    EqualizedConv2d,
    EqualizedLinear,
    MappingNetwork,
    SynthesisLayer,
    SynthesisNetwork,
    ToRGB,
    downsample2d,
    fir_kernel,
    upfirdn2d,
    upsample2d,
)
from monoform.nn.stylegan2.discriminator import minibatch_std
from monoform.nn.triplane import AXES, PlaneTable, sample_planes
from monoform.render import importance
from monoform.render.compositing import laplace_density
from monoform.render.intervals import middles
from monoform.render.passes import composite
from monoform.render.sampling import coarse_distances, pooled_weights

UNUSED_NOISE = ("noise_const", "noise_strength")
"""Tensors that a file holds of layers that add no noise."""


def tensors(manifest: Mapping[str, Any], prefix: str = "", *, leave_out: Iterable[str] = ()) -> dict[str, Tensor]:
    """A checkpoint, or the part of it below a prefix, without filters, which ours are made with."""
    state = {name: torch.from_numpy(values) for name, values in fill_state(manifest).items()}
    for name, values in state.items():
        if name.endswith("resample_filter"):
            torch.testing.assert_close(values, torch.outer(fir_kernel(), fir_kernel()))
    left_out = ("resample_filter", *leave_out)
    return {
        name.removeprefix(prefix): values
        for name, values in state.items()
        if name.startswith(prefix) and not name.endswith(left_out)
    }


def config_of(given: Fields) -> BootstrapConfig:
    """The case's options, with the original's behavior; a data set's name says no more than these."""
    scene = Scene(
        half_side=given["scene_range"],
        projection=given.one_of("projection", "perspective", "orthographic"),
        flipped=given["camera_flipped"],
        white=given["white_background"],
    )
    assert given["has_mask"] != scene.white, "only sets without a mask are on white"
    network = Network(
        z_dim=given["latent_dim"],
        palette=given["attention_values"],
        view_directions=given["use_viewdir"],
        sdf=given["use_sdf"],
        classes=given["num_classes"] if given["use_class"] else 0,
        noise=given.one_of("noise", "none", "random", "const") != "none",
    )
    base = preset(given["dataset"])
    rays = Rays(given.get("coarse_samples", 64), given.get("fine_samples", 64))
    training = replace(base.training, alpha=base.training.alpha and not scene.white)
    return replace(base, scene=scene, network=network, rays=rays, training=training, compat=PUBLISHED)


def generator_of(config: BootstrapConfig, manifest: Mapping[str, Any]) -> BootstrapGenerator:
    """The generator with a case's weights, in evaluation mode."""
    net = BootstrapGenerator(config)
    net.load_state_dict(tensors(manifest, leave_out=() if config.network.noise else UNUSED_NOISE))
    return net.eval()


@check("bootstrap-inversion", "stylegan-ops")
def stylegan_ops(case: Case) -> None:
    config = case.config
    assert config["filter"] == [1, 3, 3, 1], "only the filter [1, 3, 3, 1] is known here"
    x, even, w = case.tensor("x"), case.tensor("x_even"), case.tensor("w")
    for name, given in config["blocks"].items():
        noise = tuple(config["noise_modes"])
        block, state = block_of(name, given, config["blocks"]), tensors(case.manifest, f"{name}.")
        block.load_state_dict(state)
        if isinstance(block, SynthesisLayer):
            for mode in noise:
                given_noise: Any = {"const": "const", "nonoise": "none"}.get(mode)
                if given_noise is None:
                    given_noise = iter([case.tensor(f"noise_{name}")])
                case.compare(f"out_{name}_{mode}", block(x, w, noise=given_noise))
        elif isinstance(block, ToRGB):
            case.compare(f"out_{name}", block(x, w))
        elif isinstance(block, EqualizedConv2d):
            case.compare(f"out_{name}", block(even if given.get("down", 1) > 1 else x, given.get("gain", 1.0)))
        elif isinstance(block, EqualizedLinear):
            case.compare(f"out_{name}", block(case.tensor("x_lin")))
        else:
            found = block(c=case.tensor("c")) if "c_dim" in given else block(w)
            count = given["num_ws"]
            case.compare(f"out_{name}", found if count is None else found[:, None].expand(-1, count, -1))
    kernel = fir_kernel()
    case.compare("out_filter", torch.outer(kernel, kernel))
    case.compare("out_filter2d", upfirdn2d(x, kernel, padding=1))
    case.compare("out_filter2d_transpose", upfirdn2d(x, kernel, padding=2))
    case.compare("out_upsample2d", upsample2d(x, kernel))
    case.compare("out_downsample2d", downsample2d(even, kernel))
    mbstd = config["mbstd"]
    assert mbstd["channels"] == 1, "only one channel is known here"
    case.compare("out_mbstd", minibatch_std(case.tensor("x_mbstd"), mbstd["group"]))


def block_of(name: str, given: Mapping[str, Any], blocks: Mapping[str, Any]) -> nn.Module:
    """The layer of a block's settings."""
    if "lr_multiplier" in given and "shape" in given:
        inputs, outputs = given["shape"]
        return EqualizedLinear(inputs, outputs, activation=given["activation"], lr_multiplier=given["lr_multiplier"])
    if "shape" not in given:
        return MappingNetwork(
            given.get("z_dim", 0),
            given["w_dim"],
            layers=given.get("layers", blocks["map"]["layers"]),
            c_dim=given.get("c_dim", 0),
            embedded=False,
            lr_multiplier=given.get("lr_multiplier", blocks["map"]["lr_multiplier"]),
            average_decay=None,
        )
    inputs, outputs = given["shape"]
    w_dim = given.get("w_dim", blocks["syn"]["w_dim"])
    if "resolution" in given:
        return SynthesisLayer(inputs, outputs, w_dim, given["resolution"], size=given["kernel"], up=given["up"])
    if given.get("demodulate") is False:
        return ToRGB(inputs, outputs, w_dim, size=given["kernel"])
    return EqualizedConv2d(
        inputs,
        outputs,
        given["kernel"],
        bias=given.get("bias", True),
        activation=given.get("activation", "linear"),
        down=given.get("down", 1),
    )


@check("bootstrap-inversion", "mapping")
def mapping(case: Case) -> None:
    config, z = case.config, case.tensor("z")
    sizes = {"z_dim": config["latent_dim"], "w_dim": config["w_dim"], "palette": config["attention_values"]}
    for classes in (0, config["num_classes"]):
        manifest = case.manifest["class_conditional"] if classes else case.manifest
        net = BootstrapGenerator(replace(preset("p3d_car"), network=Network(**sizes, classes=classes))).eval()
        state = tensors(manifest)
        assert not net.load_state_dict(state, strict=False).unexpected_keys
        assert net.slots == config["num_ws"], "config.num_ws is not what the generator takes"
        if classes:
            label = case.tensor("label")
            assert net.class_embedding is not None
            case.compare("out_class_embedding", net.class_embedding(label))
            case.compare("out_w_class", net.map(z, label))
            continue
        w = net.map(z)
        case.compare("out_w", w)
        palette = net.palette(net.styles(w))
        assert palette is not None
        case.compare("out_attention_values", palette)
        draws = fill_state({"tensors": case.manifest["draws"], "salt": case.manifest["salt"]})
        latents = torch.from_numpy(draws["draw/z_avg"])
        assert len(latents) == config["w_avg_samples"]
        case.compare("out_w_avg", net.map(latents).mean(dim=0, keepdim=True))


@check("bootstrap-inversion", "synthesis")
def synthesis(case: Case) -> None:
    config, stored = case.config, case.config["stored"]
    net = SynthesisNetwork(config["w_dim"], config["img_resolution"], config["img_channels"])
    net.load_state_dict(tensors(case.manifest, "synthesis_network."))
    assert net.slots == config["num_ws"], "config.num_ws is not what the network takes"
    stored.one_of("std", "n-1")
    step, rows, columns = stored["sub_stride"], slice(*stored["patch_rows"]), slice(*stored["patch_columns"])
    for name, noise in config["runs"].items():
        with torch.no_grad():
            found = net(case.tensor("ws"), noise=noise)
        results = {"sub": found[..., ::step, ::step], "patch": found[..., rows, columns]}
        results |= {"mean": found.mean(dim=(2, 3)), "std": found.std(dim=(2, 3))}
        for part, values in results.items():
            case.compare(f"out_{name}_{part}", values)


@check("bootstrap-inversion", "triplane-decoder")
def triplane_decoder(case: Case) -> None:
    config = case.config
    assert config["planes"] == ["xy", "xz", "yz"] and config["combine"] == "mean", "other planes are not known here"
    net = PlaneDecoder(config["channels"], config["hidden"], config["outputs"] - 1)
    net.load_state_dict(tensors(case.manifest, "decoder."))
    planes, coords = case.tensor("planes"), case.tensor("coords")
    padding = config.one_of("padding", "border")

    def features(points: Tensor, *, twice: bool = False) -> Tensor:
        places = points.flatten(1, -2)
        return sample_planes(planes, places, AXES["sorted"], padding=padding, align_corners=True, twice=twice)

    at = coords.clone().requires_grad_()
    distance, numbers = net(features(at))
    case.compare("out_features", numbers)
    case.compare("out_distance", distance[..., None])
    case.compare("out_distance_grad", torch.autograd.grad(distance.sum(), at)[0])
    with torch.no_grad():
        distance, numbers = net(
            PlaneTable(planes, padding).sample(coords.flatten(1, -2), AXES["sorted"], align_corners=True)
        )
    case.compare("out_features", numbers)
    case.compare("out_distance", distance[..., None])
    at, planes = coords.clamp(-1, 1).requires_grad_(), planes.requires_grad_()
    distance, _ = net(features(at, twice=True))
    slope = torch.autograd.grad(distance.sum(), at, create_graph=True)[0]
    eikonal = (slope.norm(dim=-1) - 1).square().mean()
    for_planes, for_weight = torch.autograd.grad(eikonal, (planes, next(net.parameters())))
    results = {"distance": distance[..., None], "distance_grad": slope, "eikonal": eikonal}
    results |= {"eikonal_grad_planes": for_planes, "eikonal_grad_fc0_weight": for_weight}
    for part, values in results.items():
        case.compare(f"out2_{part}", values)


@check("bootstrap-inversion", "generator-sampler")
def generator_sampler(case: Case) -> None:
    config = case.config
    net = generator_of(config_of(config), case.manifest)
    assert net.beta is not None and net.alpha is not None
    assert abs(net.beta.item() - config["beta"]) < 1e-6 and abs(net.alpha.item() - config["alpha"]) < 1e-6
    points, x = case.tensor("points"), case.tensor("lap_x")
    assert len(points) == config["batch"]
    ws = net.styles(net.map(case.tensor("z")))
    palette = net.palette(ws)
    assert palette is not None
    case.compare("out_attention_values", palette)
    flat = points.flatten(1, -2)
    bias = case.tensor("palette_bias")
    for name, colors in {"out_rgb": palette, "out_rgb_biased": palette + bias}.items():
        with torch.no_grad():
            objects = net.objects(net.planes(ws), colors)
            found = objects.sample(flat, normals=True)
        case.compare(name, found.rgb)
    compare_samples(case, "out_", found)
    assert found.normals is not None
    case.compare("out_normals", found.normals.reshape(points.shape))
    case.compare("out_coords", flat.reshape(points.shape))
    case.compare("out_lap_cdf", laplace_density(-x, config["beta"], 1.0))
    case.compare("out_lap_pdf", laplace_pdf(x, config["beta"]))
    case.compare("out_wide_sigmoid", as_color(x))


def compare_samples(case: Case, prefix: str, found: PointSamples) -> None:
    """Distances where there are such, densities and palette weights."""
    results = {"sdf_distance": found.geometry[..., None], "sigma": found.density, "semantics": found.palette_weights}
    for part, values in results.items():
        if f"{prefix}{part}" in case:
            assert values is not None
            case.compare(f"{prefix}{part}", values)


@check("bootstrap-inversion", "rays-sampling")
def rays_sampling(case: Case) -> None:
    config = case.config
    height, width = config["image_size"]
    views = rays_of(case, (height, width))
    for name, (origins, directions) in views.items():
        case.compare(f"out_{name}_origin", origins.unflatten(1, (height, width)))
        case.compare(f"out_{name}_dir", directions.unflatten(1, (height, width)))
    ranges = {}
    for name, half in config["half_side"].items():
        origins, directions = views["ortho" if name.endswith("_ortho") else "persp"]
        near, far, _ = limits(origins, nn.functional.normalize(directions, dim=-1), half)
        ranges[name] = near, far
        for part, values in (("near", near), ("far", far)):
            case.compare(name.replace("near", part), values[..., 0].unflatten(1, (height, width)))
    origins, directions = views["persp"]
    directions, (near, far) = nn.functional.normalize(directions, dim=-1), ranges["out_near"]
    ours = replace(preset("p3d_car"), rays=Rays(config["samples_per_ray"], config["samples_per_ray"]), compat=PUBLISHED)
    count, sampling = origins.shape[1], sampling_of(ours)
    even = places_of((config["batch"], count), ours, None)
    strata = {"_det": even.strata, "": case.tensor("u_stratified").flatten(1, 2)}
    for name, places in strata.items():
        distances = coarse_distances(near, far, places, sampling)
        points = origins[..., None, :] + distances[..., None] * directions[..., None, :]
        case.compare(f"out_depth{name}", distances.unflatten(1, (height, width)))
        case.compare(f"out_points{name}", points.unflatten(1, (height, width)))
    compare_composites(case, distances, near, far)
    weights = pooled_weights(case.tensor("out_weights").flatten(0, 2))
    case.compare("out_weights_smooth", weights)
    assert abs(float(pooled_weights(torch.zeros(1, 4)).max()) - config["weights_floor"]) < 1e-9
    bins = middles(distances.flatten(0, 1))
    for name, levels in {"out_fine": case.tensor("u_fine"), "out_fine_det": even.levels.flatten(0, 1)}.items():
        case.compare(name, importance(bins, weights[..., 1:-1], levels))
    uniform, grid = case.tensor("u_strata"), config["strata"]
    assert uniform.shape[1] == grid["cells"] == grid["nstrata"] - 1
    case.compare("out_strata", stratified_points(uniform, grid["half_side"]))


def rays_of(case: Case, size: tuple[int, int]) -> dict[str, tuple[Tensor, Tensor]]:
    """Origins and directions of each kind of camera; directions as long as the original's, 1 along the view."""
    pose, focal, ortho = case.tensor("cam2world"), case.tensor("focal"), case.tensor("cam2world_ortho")
    box, center = case.tensor("bbox"), case.tensor("center")
    cameras = {
        "persp": camera_of(pose, focal, size),
        "persp_bbox": camera_of(pose, focal, size, box=box),
        "persp_center": camera_of(pose, focal, size, center=center),
        "ortho": camera_of(ortho, None, size),
        "ortho_bbox": camera_of(ortho, None, size, box=box),
    }
    found = {}
    for name, camera in cameras.items():
        origins, directions = camera.rays(pixels_of(camera, corner=True))
        forward = camera.world_from_camera[:, None, :3, 2]
        found[name] = origins, directions / (directions * forward).sum(dim=-1, keepdim=True)
    return found


def compare_composites(case: Case, distances: Tensor, near: Tensor, far: Tensor) -> None:
    """Both backgrounds, of what the case gives for each sample."""
    parts = {name: case.tensor(name).flatten(1, 2) for name in ("rgb", "normals", "semantics")}
    samples = FieldSamples(case.tensor("sigma").flatten(1, 2), torch.cat(list(parts.values()), dim=-1))
    size = case.config["image_size"]
    for name, value in case.config["backgrounds"].items():
        ours = replace(preset("p3d_car"), compat=PUBLISHED)
        sampling = replace(sampling_of(ours), background=(value,) * 3)
        found = composite(samples, distances, near, far, sampling)
        case.compare("out_weights", found.weights.unflatten(1, size))
        rgb, normals, semantics = found.values.tensor_split([3, 6], dim=-1)
        normals = normals + value * (1 - found.alpha)[..., None]
        results = {"rgb": rgb, "normals": normals, "semantics": semantics, "depth": found.depth, "mask": found.alpha}
        for part, values in results.items():
            case.compare(f"out_{name}_{part}", values.unflatten(1, size))


@check("bootstrap-inversion", "generator-variants")
def generator_variants(case: Case) -> None:
    config = case.config
    config.one_of("mode", "eval")
    config.one_of("noise", "none")
    for name, given in config["variants"].items():
        network = Network(
            z_dim=config["latent_dim"],
            w_dim=config["w_dim"],
            palette=given["attention_values"],
            view_directions=given["use_viewdir"],
            sdf=given["use_sdf"],
            classes=given["num_classes"] or 0,
        )
        ours = BootstrapConfig(network=network, scene=Scene(half_side=given["scene_range"]), compat=PUBLISHED)
        net = generator_of(ours, case.manifest["networks"][name])
        assert net.slots == given["num_ws"], "num_ws is not what the generator takes"
        points = case.tensor(f"{name}/points")
        with torch.no_grad():
            w = net.map(case.tensor(f"{name}/z"), case.tensor(f"{name}/label") if network.classes else None)
            case.compare(f"{name}/out_w", w)
            ws = net.styles(w)
            objects, along = net.objects(net.planes(ws), net.palette(ws)), None
            if network.view_directions:
                directions = case.tensor(f"{name}/viewdirs")[..., None, :].expand_as(points)
                along = objects.seen_from(directions.flatten(1, -2))
            found = objects.sample(points.flatten(1, -2), along)
        case.compare(f"{name}/out_rgb", found.rgb)
        compare_samples(case, f"{name}/out_", found)


EVERY = Maps(palette=True, coordinates=True, normals=True)


def rays_to_the_bit(
    pose: Tensor, focal: Tensor | None, size: tuple[int, int], box: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Origins and unit directions through the corners of pixels, in the order of operations of the original."""
    height, width = size
    x, y = torch.meshgrid(torch.arange(width) / width, torch.arange(height) / height, indexing="xy")
    x, y = x[None] - 0.5, y[None] - 0.5
    if focal is None:
        assert box is None, "crops of orthographic cameras are not known here"
        plane = torch.stack((2 * x, -2 * y, torch.zeros_like(x)), dim=-1)
        ahead = torch.tensor([0.0, 0.0, -1.0]).expand_as(plane) + 0 * plane
        origins = turned(plane, pose) + pose[:, None, None, :3, 3]
        directions = turned(ahead, pose) / pose[:, 3, 3, None, None, None]
    else:
        if box is not None:
            (left, low), (wide, high) = (part[..., None, None].unbind(dim=1) for part in box.unbind(dim=1))
            x, y = (wide * (x + 0.5) + left) * 0.5, -(high * (-y + 0.5) + low) * 0.5
        x, y = x / focal[:, None, None], y / focal[:, None, None]
        directions = turned(torch.stack((x, -y, -torch.ones_like(x)), dim=-1), pose)
        origins = pose[:, None, None, :3, 3].expand_as(directions)
    return origins.flatten(1, 2), nn.functional.normalize(directions, dim=-1).flatten(1, 2)


def turned(vectors: Tensor, pose: Tensor) -> Tensor:
    return (vectors[..., None, :] * pose[:, None, None, :3, :3]).sum(dim=-1)


@check("bootstrap-inversion", "render")
def render(case: Case) -> None:
    config = case.config
    ours, size = config_of(config), tuple(config["image_size"])
    assert ours.scene.background == config["background_value"]
    config.one_of("mode", "eval")
    net, z = generator_of(ours, case.manifest), case.tensor("z")
    assert len(z) == config["batch"]
    focal = case.tensor("focal") if ours.scene.projection == "perspective" else None
    box = case.tensor("bbox") if config["crop_box"] else None
    cameras = camera_of(case.tensor("cam2world"), focal, size, box=box)
    for name, run in config["runs"].items():
        uniform = [case.tensor(each) for each in run["draws"] if each.endswith("_rand")]
        normal = iter([case.tensor(each) for each in run["draws"] if each.endswith("_randn")])
        shape = (len(z), size[0] * size[1])
        draws = places_of(shape, ours, None)
        if run["randomize"]:
            strata, levels = uniform
            draws = replace(draws, strata=strata.reshape(*shape, -1), levels=levels.reshape(*shape, -1))
        with torch.no_grad():
            ws = net.styles(net.map(z))
            planes, palette = net.planes(ws, noise=normal), net.palette(ws)
            if run["randomize"]:
                found = net.render(ws, cameras, maps=EVERY, draws=draws, planes=planes, palette=palette)
            else:
                # The first sample lies where the ray enters: the last bit of a ray decides whether that is outside.
                rays = rays_to_the_bit(case.tensor("cam2world"), focal, size, box)
                found = see(net.objects(planes, palette), *rays, draws, ours, EVERY).unflatten(*size)
        assert next(normal, None) is None, "draws are left over"
        results = {"rgb": found.rgb, "depth": found.depth, "mask": found.alpha, "semantics": found.palette}
        results |= {"normals": found.normals, "coords": found.coordinates}
        for part in config["requested"]:
            values = results[part]
            assert values is not None
            case.compare(f"out_{name}_{part}", values)


@check("bootstrap-inversion", "generator-regularisers")
def generator_regularisers(case: Case) -> None:
    config = case.config
    config.one_of("mode", "train")
    ours, order = config_of(config), case.manifest["parameter_order"]
    net, z = generator_of(ours, case.manifest).train(), case.tensor("z")
    salt, shape = case.manifest["salt"], config["strata_shape"]
    assert config["tv_jitter"] == JITTER and len(z) == config["batch"]
    assert config["gradient_of"] == "mean over the batch"
    draws = {
        name: torch.from_numpy(values)
        for name, values in fill_state({"tensors": case.manifest["draws"], "salt": salt}).items()
    }
    rng = np.random.default_rng(zlib.crc32(f"{salt}draw/strata".encode()))
    uniform = torch.from_numpy(rng.random(shape, dtype=np.float32))
    ws = net.styles(net.map(z)).contiguous()
    planes, palette = net.planes(ws), net.palette(ws)
    assert planes.shape == draws["draw/pl_noise"].shape
    terms = shape_terms(net, planes, stratified_points(uniform, ours.scene.half_side), draws["draw/tv"].flatten(1, -2))
    results = {
        "path_length": path_lengths(ws, planes, palette, draws["draw/pl_noise"], case.tensor("pl_noise_palette")),
        "sdf_eikonal_loss": terms.eikonal,
        "sdf_distance_loss": terms.sphere,
        "total_variation_loss": terms.total_variation,
        "entropy_loss": terms.entropy,
    }
    for name, values in results.items():
        case.compare(f"out_{name}", values)
        case.compare(f"gradnorm_{name}", gradient_norms(net, values.mean(), order))


def gradient_norms(net: nn.Module, value: Tensor, order: list[str]) -> Tensor:
    """Lengths of the gradients in the named parameters, 0 in those that are not used or that ours does not hold."""
    parameters = dict(net.named_parameters())
    assert set(parameters) <= set(order), "parameter_order does not name all parameters"
    unused = [name for name in order if name not in parameters]
    assert all(name.endswith(UNUSED_NOISE) for name in unused), "parameter_order names others than ours"
    found = torch.autograd.grad(value, list(parameters.values()), retain_graph=True, allow_unused=True)
    norms = {name: 0.0 if each is None else each.norm().item() for name, each in zip(parameters, found, strict=True)}
    return torch.tensor([norms.get(name, 0.0) for name in order])


@check("bootstrap-inversion", "discriminator")
def discriminator(case: Case) -> None:
    config = case.config
    config.one_of("use_encoder", False)
    config.one_of("iteration", None)
    assert (config["rgb"], config["alpha"]) == ("u8/127.5 - 1", "u8/255"), "images are coded in another way"
    net = BootstrapDiscriminator(
        DiscriminatorConfig(
            resolution=config["resolution"],
            alpha=config["channels"] == 4,
            conditional_pose=config["conditional_pose"],
            classes=config["num_classes"] or 0,
            group=config["mbstd_group"],
        )
    )
    net.load_state_dict(tensors(case.manifest))
    coded = case.tensor("image_u8").float()
    assert coded.shape[:2] == (config["batch"], config["channels"])
    images = torch.cat((coded[:, :3] / 127.5 - 1, coded[:, 3:] / 255), dim=1).requires_grad_()
    focal = case.tensor("focal") if config["projection"] == "perspective" else None
    condition = condition_vectors(case.tensor("cam2world"), focal, flipped=config["camera_flipped"])
    case.compare("out_cond", condition)
    logits = net(images, condition)
    case.compare("out_logits", logits)
    slope = torch.autograd.grad(logits.sum(), images, create_graph=True)[0]
    step = config["grad_stride"]
    # Where an activation lies at the kink of the leaky ReLU, the last bit of it decides its slope.
    exact = copy.deepcopy(net).double()
    precise = images.detach().double().requires_grad_()
    wanted = torch.autograd.grad(exact(precise, condition.double()).sum(), precise)[0]
    ours, wanted = slope[..., ::step, ::step], wanted[..., ::step, ::step]
    kinks = (ours - wanted).abs()
    assert (kinks > 1e-3 * wanted.abs().max()).double().mean() < 0.01, "single precision differs beyond single kinks"
    case.compare("out_grad_sub", ours, rounding=kinks.max().item())
    penalty = slope.square().sum(dim=(1, 2, 3)).mean()
    losses = {"real": nn.functional.softplus(-logits).mean(), "fake": nn.functional.softplus(logits).mean()}
    case.compare("out_r1_penalty", penalty)
    for name, value in losses.items():
        case.compare(f"out_loss_{name}", value)
    order = case.manifest["parameter_order"]
    case.compare("gradnorm_loss_real", gradient_norms(net, losses["real"], order))
    case.compare("gradnorm_penalty", gradient_norms(net, penalty, order))
