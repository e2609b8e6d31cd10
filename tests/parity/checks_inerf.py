"""iNeRF against its golden cases: poses and their derivatives, pixels, errors, and the first steps of its loops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.checks_pixelnerf import per_camera, principal_point
from tests.parity.checks_pixelnerf_model import digest, network_of, poses_of, remembered, state_of, unit
from tests.parity.checks_pixelnerf_rendering import draws_of
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from tests.parity.tolerances import differing_share
from torch import Tensor

from monoform.camera import Camera, from_opengl, se3_exp, to_opengl
from monoform.methods.inerf import (
    Compat,
    PhotometricAdam,
    Trajectory,
    central_box,
    descend,
    interest_points,
    perturbed,
    screw_motion,
    sphere_axis,
    widened,
)
from monoform.methods.inerf.descend import rays
from monoform.methods.nerf import TwoPass, ndc_rays, render_two_pass
from monoform.methods.pixelnerf import from_published
from monoform.methods.pixelnerf.encoded import Encoded
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.render import render
from monoform.metrics.pose import rotation_error, translation_error
from monoform.nn.nerf_mlp import NerfMlp
from monoform.render import RayRender, RaySampleNoise
from monoform.render.ray_renderer import RayColors


@check("inerf", "exp_map")
def exp_map(case: Case) -> None:
    precise = case.config.one_of("precision", "float64", "float32") == "float64"
    twists = case.tensor("xi")
    made = se3_exp(twists if precise else twists.float())
    if precise:
        case.compare("T", made)
    else:
        case.compare_within("T", float((made - case.arrays["T"]).abs().max()), case.limit("T", "float32"))
    jacobian = torch.stack([torch.autograd.functional.jacobian(se3_exp, twist) for twist in twists])
    assert torch.isfinite(jacobian).all()
    case.compare("jac", jacobian)
    screw = (case.tensor(f"screw_{name}").double() for name in ("w", "v", "theta"))
    case.compare("screw_T", screw_motion(*screw).float())


@check("inerf", "sampling")
def sampling(case: Case) -> None:
    """Sizes, and box and times of widening, are in the names of the arrays."""
    config = case.config
    config.one_of("box", {"low": "int(0.5*(1-f)*N)", "high": "int(0.5*(1+f)*N)"})
    config.one_of("detector", "sift")
    for kind in ("center", "patch"):
        for name in case.names(f"{kind}_"):
            height, width = (int(size) for size in name.split("_")[1].split("x"))
            case.compare(name, central_box(height, width, config[f"{kind}_fraction"]))
    golden = torch.from_numpy(case.arrays["poi_xy"])
    height, width = case.array("image").shape[:2]
    points = torch.zeros(height, width, dtype=torch.bool)
    points[golden[:, 1], golden[:, 0]] = True
    for name in case.names("region_"):
        kernel, times = (int(part[1:]) for part in name.split("_")[1:])
        case.compare(name, widened(points, kernel, times).to(torch.uint8))
    # Versions of OpenCV find a few points elsewhere.
    found = interest_points(case.array("image"))
    near = (found[:, None] - golden).abs().amax(-1) <= case.limit("poi_xy", "pixels")
    alone = 1.0 - min(float(near.any(side).double().mean()) for side in (0, 1))
    case.compare_within("poi_xy", alone, 1.0 - case.limit("poi_xy", "overlap"))


@check("inerf", "perturbation")
def perturbation(case: Case) -> None:
    axis, angle = case.tensor("axis"), torch.deg2rad(case.tensor("angle_deg"))
    truth, offset = case.tensor("gt"), case.tensor("translation")
    for values, name in ((case.tensor("angle_deg"), "angle_range_deg"), (offset, "translation_range")):
        low, high = case.config[name]
        assert ((values >= low) & (values <= high)).all(), f"config.{name} does not hold what was drawn"
    case.compare("start_world", perturbed(truth, axis, angle, offset, about="world"))
    case.compare("start_incamera", perturbed(truth, axis, angle, offset, about="camera"))
    case.compare("sphere_axis", sphere_axis(case.tensor("sphere_u")))


@check("inerf", "pose_error")
def pose_error(case: Case) -> None:
    success = case.config["success"]
    truth, found = poses_of(case, "gt"), poses_of(case, "est")
    turned, moved = torch.rad2deg(rotation_error(found, truth)), translation_error(found, truth)
    compare_angles(case, "rot_deg", turned)
    case.compare("trans", moved)
    right, close = turned < success["degrees"], moved < success["distance"]
    for name in case.names("success_"):
        case.compare(name, right & close)
    for name in case.names("recall_"):
        case.compare(name, (right if name.startswith("recall_rot") else close).double().mean())
    # What two re-implementations print instead of errors, from their descriptions.
    case.compare("rel_trans", (found @ torch.linalg.inv(truth))[:, :3, 3].norm(dim=-1))
    distances = found[:, :3, 3].norm(dim=-1), truth[:, :3, 3].norm(dim=-1)
    case.compare("norm_diff", (distances[0] - distances[1]).abs())
    case.config.one_of("euler_order", "zyx")
    case.compare("euler_sum_deg", euler_sums(found, truth, case.config["euler_wrap_above"]))


def compare_angles(case: Case, name: str, ours: Tensor) -> None:
    """Within a degree of 0 and 180, where the arc cosine is steep, more may differ."""
    golden = torch.from_numpy(case.arrays[name])
    steep = (golden < 1) | (golden > 179)
    allowed = torch.where(steep, case.limit(name, "near_0_and_180"), case.limit(name, "abs"))
    case.compare_within(name, float(((ours - golden).abs() / allowed).max()), 1.0)


def euler_sums(found: Tensor, truth: Tensor, wrapped_above: float) -> Tensor:
    """Sums of the absolute differences of zyx Euler angles in degrees, the large ones wrapped."""
    difference = (zyx_degrees(found) - zyx_degrees(truth)).abs()
    return torch.where(difference > wrapped_above, (difference - 360).abs(), difference).sum(-1)


def zyx_degrees(pose: Tensor) -> Tensor:
    rotation = pose[:, :3, :3]
    angles = (
        torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0]),
        torch.asin((-rotation[:, 2, 0]).clamp(-1, 1)),
        torch.atan2(rotation[:, 2, 1], rotation[:, 2, 2]),
    )
    return torch.rad2deg(torch.stack(angles, dim=-1))


@check("inerf", "pixelnerf_steps")
def pixelnerf_steps(case: Case) -> None:
    config, settings = case.config, case.config["inerf"]
    config.one_of("loss", "mse of the fine colour")
    net = network_of(case).requires_grad_(False)
    compat = Compat(
        parametrization=settings["parametrisation"],
        encoder_batchnorm=settings["encoder_batchnorm"],
        constant_rate=settings["decay"] == "none",
    )
    options = PhotometricAdam(steps=settings["steps"], rate=settings["lr"], decay=decay_of(settings), compat=compat)
    source, focal = unit(case.tensor("source"))[None], case.tensor("focal")
    away = float(poses_of(case, "input_pose")[:3, 3].norm())
    np.testing.assert_allclose(away, settings["radius"], rtol=1e-5, err_msg="config.inerf.radius")
    target = case.tensor("target_u8") / 255.0
    assert [*target.shape[:2]] == config["target_size"], "config.target_size is not that of target_u8"
    height, width = config["source_size"]
    center = principal_point(config)
    net.train(compat.encoder_batchnorm == "batch")
    with torch.no_grad():
        at = from_published(case.tensor("input_pose")[None], width, height, per_camera(focal, 1), per_camera(center, 1))
        encoded = net.encode(source[None], at)
    net.eval()
    first: list[tuple[Tensor, Tensor]] = []
    steps = iter(range(options.steps))
    flat = target.reshape(-1, 3)

    def renderer(origins: Tensor, directions: Tensor, *, generator: torch.Generator | None = None) -> RayColors:
        step = next(steps)
        assert len(origins) == settings["rays"] == config["rays_per_step"], "config.inerf.rays, rays_per_step"
        origins, directions = at_golden_pose(case, step, origins, directions, camera, case.tensor(f"step{step}/idx"))
        limits = origins.new_tensor([settings["near"], settings["far"]]).expand(len(origins), 2)
        seen_rays = torch.cat((origins, directions, limits), dim=-1)[None]
        draws = draws_of(case, f"step{step}/", seen_rays, net.config.sampling)
        key = digest(case, "source", "input_pose") + _bytes(
            seen_rays, draws.strata, draws.levels, draws.within, draws.normal
        )
        rgb, alpha, depth = _Replayed.apply(seen_rays, lambda given: _seen(net, encoded, given, draws), key)
        first.append((rgb.detach(), depth.detach()))
        # A wrong step is known at once, and the steps after it are not waited for.
        loss = (rgb.detach() - flat[case.tensor(f"step{step}/idx")]).square().mean().double()
        differing_share("loss", loss[None].numpy(), case.arrays["loss"][step : step + 1], case.tolerance("loss"))
        return RayColors(rgb, alpha, depth)

    camera = from_published(
        case.tensor("start_pose")[None], target.shape[1], target.shape[0], per_camera(focal, 1), per_camera(center, 1)
    )
    found = descend(renderer, target, camera, options, pixels=lambda step: case.tensor(f"step{step}/idx"))
    case.compare("rgb0", first[0][0])
    case.compare("depth0", first[0][1])
    falls = np.zeros(options.steps) if compat.constant_rate else np.arange(options.steps) / 100
    case.compare("lr", options.rate * options.decay**falls)
    compare_steps(case, found, to_opengl)


def decay_of(settings: Fields) -> float:
    """The factor on the rate after 100 steps; the manifest may count it after others."""
    return settings["decay_factor"] ** (100 / settings["decay_steps"])


def _seen(net: PixelNerfNet, encoded: Encoded, rays: Tensor, draws: RaySampleNoise) -> tuple[Tensor, Tensor, Tensor]:
    best = render(net, encoded, rays, noise=draws).best
    return best.rgb[0], best.alpha[0], best.depth[0]


def _bytes(*values: Tensor) -> str:
    return hashlib.sha256(b"".join(value.detach().contiguous().numpy().tobytes() for value in values)).hexdigest()


class _Replayed(torch.autograd.Function):
    """A rendering and its gradient, remembered: checks run many times on one case with one array changed."""

    @staticmethod
    def forward(ctx: Any, rays: Tensor, make: Callable[[Tensor], tuple[Tensor, ...]], key: str) -> tuple[Tensor, ...]:
        ctx.make, ctx.key = make, key
        ctx.save_for_backward(rays)
        with torch.no_grad():
            return remembered(f"forward {key}", key, lambda: make(rays))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        (rays,) = ctx.saved_tensors
        key = ctx.key + _bytes(*slopes)

        def gradient() -> Tensor:
            with torch.enable_grad():
                start = rays.detach().requires_grad_()
                return torch.autograd.grad(ctx.make(start), start, slopes, allow_unused=True)[0]

        return remembered(f"backward {key}", key, gradient), None, None


@check("inerf", "vanilla_steps")
def vanilla_steps(case: Case) -> None:
    config = case.config
    config.one_of("perturb", 0)
    kind = {"screw": "screw7", "se3": "se3"}[config["parametrisation"]]
    options = PhotometricAdam(
        steps=config["steps"],
        rate=config["lr"],
        decay=decay_of(config),
        compat=Compat(parametrization=kind, unit_directions=False),
    )
    state = state_of(case)
    nets = [_network(config, state, name) for name in config["network_keys"]]
    width, height, focal = config["W"], config["H"], float(config["focal"])
    # Forward-facing scenes are sampled in normalised device coordinates; views stay those of the rays before.
    scale = (2 * focal / width, 2 * focal / height) if config["ndc"] else None
    samples = TwoPass(
        float(config["near"]),
        float(config["far"]),
        config["N_samples"],
        config["N_importance"],
        linear_disparity=config.get("lindisp", False),
        white=config["white_bkgd"],
    )
    seen: list[tuple[Tensor, Tensor, RayRender]] = []

    first_given: list[tuple[Tensor, Tensor, Tensor]] = []

    def renderer(origins: Tensor, directions: Tensor, *, generator: torch.Generator | None = None) -> RayColors:
        step, own = len(seen), (origins.detach(), directions.detach())
        origins, directions = at_golden_pose(case, step, origins, directions, camera, pixels(step), unit=False)
        views, given = torch.nn.functional.normalize(directions, dim=-1), (origins, directions)
        if scale is not None:
            given = ndc_rays(origins, directions, scale, float(config["near_plane"]))
        made = render_two_pass(nets[0], nets[-1], *given, samples, views=views)
        first_given.append((*given, views))
        seen.append((*own, made))
        return RayColors(made.best.rgb, made.best.alpha, made.best.depth)

    target, start = case.tensor("target_u8") / 255.0, case.tensor("start_pose")
    assert target.shape == (height, width, 3), "config.H, W are not those of target_u8"
    near_rigid(case, "gt_pose")

    def pixels(step: int) -> Tensor:
        columns, rows = case.tensor(f"step{step}/xy").unbind(-1)
        assert len(rows) == config["rays_per_step"], f"config.rays_per_step is not how many step{step}/xy names"
        return rows * width + columns

    initial = None
    if kind == "screw7":
        initial = {name: case.tensor(f"init_{short}") for name, short in SCREW_NAMES.items()}
        initial["angle"] = initial["angle"].reshape(())
    camera = from_published(start[None], width, height, focal)
    found = descend(renderer, target, camera, options, pixels=pixels, initial=initial)
    origins, directions, first = seen[0]
    case.compare("rays_o", origins)
    case.compare("rays_d", directions)
    case.compare("rgb0", first.best.rgb)
    case.compare("acc0", first.best.alpha)
    case.compare("disp0", first.best.disparity)
    if first.fine is not None:
        case.compare("coarse_rgb0", first.coarse.rgb)
    case.compare("raw0", raw_of(nets[-1], *first_given[0], first, config["raw_rays"]))
    compare_steps(case, found, to_opengl)


@torch.no_grad()
def raw_of(net: NerfMlp, origins: Tensor, directions: Tensor, views: Tensor, seen: RayRender, count: int) -> Tensor:
    """What a network gives at the samples of the first rays, before its activations."""
    distances = seen.best.distances[:count]
    points = origins[:count, None] + distances[..., None] * directions[:count, None]
    along = views[:count, None].expand_as(points)
    return net(points.flatten(0, 1), along.flatten(0, 1)).unflatten(0, distances.shape)


def near_rigid(case: Case, name: str) -> None:
    """A pose that no step needs, for people to see where the steps lead."""
    turn = poses_of(case, name)[..., :3, :3].double()
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).double().expand_as(turn), atol=1e-5, rtol=0.0)


def at_golden_pose(
    case: Case,
    step: int,
    origins: Tensor,
    directions: Tensor,
    camera: Camera,
    index: Tensor,
    *,
    unit: bool = True,
) -> tuple[Tensor, Tensor]:
    """The rays of the golden pose of a step, with the gradient of ours.

    Each step is judged where the golden run took it: what rounding moves in one step, and Adam and a network of many
    kinks magnify in those after it, differs from processor to processor.
    """
    poses = torch.from_numpy(case.arrays["poses"])
    golden = replace(camera, world_from_camera=from_opengl(poses[step : step + 1]))
    there = rays(golden, camera.pixel_centers()[index], unit=unit)
    return tuple(ours + (known - ours).detach() for ours, known in zip((origins, directions), there, strict=True))


SCREW_NAMES = {"axis": "w", "translation": "v", "angle": "theta"}


def nerf_mlp(config: Fields) -> NerfMlp:
    """The network that a manifest describes, with its one skip."""
    (skip,) = config["skips"]
    return NerfMlp(
        config["multires"], config["multires_views"], depth=config["netdepth"], width=config["netwidth"], skip=skip
    )


def _network(config: Fields, state: dict[str, np.ndarray], part: str) -> NerfMlp:
    net = nerf_mlp(config).requires_grad_(False)
    prefix = f"{part}."
    own = {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}
    net.load_state_dict({name: torch.from_numpy(values) for name, values in own.items()})
    return net


def compare_steps(case: Case, found: Trajectory, to_published: Callable[[Tensor], Tensor]) -> None:
    """Losses, gradients, variables and poses; a matrix is its own pose, whose second and third columns we turn."""
    gradients, states = found.gradients, found.values
    if case.arrays["grad"].ndim == 3:
        gradients, states = (to_published(values.reshape(-1, 4, 4)) for values in (gradients, states))
    case.compare("loss", found.losses)
    case.compare("grad", gradients)
    case.compare("state", states)
    case.compare("poses", to_published(found.poses))
