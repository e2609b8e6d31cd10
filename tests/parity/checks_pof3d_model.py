"""PoF3D's networks against their golden cases."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.pof3d.background import BackgroundField, inverted_sphere
from monoform.methods.pof3d.config import (
    Background,
    Compat,
    Network,
    Pof3dConfig,
    PoseHead,
    Rays,
    Rig,
    focal_of,
)
from monoform.methods.pof3d.decoder import Decoder, PlanesQuery, axes_of
from monoform.methods.pof3d.discriminator import DiscriminatorConfig, Pof3dDiscriminator
from monoform.methods.pof3d.mapping import PoseMapping
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.poses import MIRRORS, camera_poses, intrinsics_of, mirrored
from monoform.methods.pof3d.presets import preset
from monoform.methods.pof3d.rendering import image_rays, normal_map, normals_of_depth, sampling_of, see, seen_of
from monoform.methods.pof3d.superresolution import Superresolution
from monoform.nn.field import FieldSamples
from monoform.nn.stylegan2 import (
    SynthesisBlock,
    SynthesisNetwork,
    bias_act,
    default_gain,
    downsample2d,
    filter2d,
    fir_kernel,
    modulated_conv2d,
    resampled_conv2d,
    upfirdn2d,
    upsample2d,
)
from monoform.nn.triplane import AXES, plane_coordinates, plane_features
from monoform.render import RaySampleNoise, importance, ray_box
from monoform.render.intervals import middles
from monoform.render.passes import composite
from monoform.render.sampling import pooled_weights

LEFT_OUT = ("resample_filter", "dataset_label_std")
"""Tensors of published networks that are no part of ours: the one is made from its taps, the other nothing uses."""


def tensors(manifest: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """A checkpoint, or the part of it below a prefix, without what our networks do not hold."""
    state = {name: torch.from_numpy(values) for name, values in fill_state(manifest).items()}
    for name, values in state.items():
        if name.endswith("resample_filter"):
            taps = fir_kernel()
            torch.testing.assert_close(values, torch.outer(taps, taps))
    return {
        name.removeprefix(prefix): values
        for name, values in state.items()
        if name.startswith(prefix) and not name.endswith(LEFT_OUT)
    }


def filled(net: nn.Module, case: Case, prefix: str = "") -> Any:
    """A part with the case's weights, in evaluation mode."""
    net.load_state_dict(tensors(case.manifest, prefix))
    return net.eval()


def weights_are_filters(manifest: Mapping[str, Any]) -> None:
    assert manifest.get("filter", [1, 3, 3, 1]) == [1, 3, 3, 1], "only the filter [1, 3, 3, 1] is known here"


FILTERS = {"1331": "filter_1331", "asym": "filter_asym_3x4", "sep12": "filter_sep12", "none": None}
RESAMPLING = {"filter2d": filter2d, "upsample2d": upsample2d, "downsample2d": downsample2d}


def kernel_of(case: Case, name: str) -> Tensor | None:
    array = FILTERS.get(name, name)
    return None if array is None else case.tensor(array)


def options_of(given: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Keyword arguments as our functions call them."""
    known = {"up", "down", "padding", "gain", "groups", "clamp", "demodulate", "dim"}
    renamed = {"flip_filter": "flip", **names}
    assert set(given) <= known | set(renamed) | {
        "f",
        "input",
        "bias",
        "noise",
        "alpha",
        "activation",
        "flip_weight",
        "flip_filter",
    }
    return {renamed.get(name, name): value for name, value in given.items() if name in known | set(renamed)}


@check("pof3d", "ops")
def ops(case: Case) -> None:
    config = case.config
    assert case.manifest.get("params", config["params"]) == config["params"]
    resampling(case, config["params"])
    biases(case, config)
    convolutions(case, config["params"])
    modulations(case, config["mod"])
    filtered_activations(case, config)


def resampling(case: Case, params: Fields) -> None:
    x = case.tensor("x")
    for name in case.names("upfirdn_"):
        case.compare(name, upfirdn2d(x, kernel_of(case, params[name]["f"]), **options_of(params[name])))
    for operation, function in RESAMPLING.items():
        for name in case.names(f"{operation}_"):
            kind = name.removeprefix(f"{operation}_")
            given = params.get(name, params["*_pad"] if kind.endswith("_pad") else {})
            kernel = kernel_of(case, kind.removesuffix("_pad"))
            assert kernel is not None
            case.compare(name, function(x, kernel, **options_of(given)))
    for name in case.names("grad_", "_asym"):
        kernel = kernel_of(case, "asym")
        assert kernel is not None
        at = x.clone().requires_grad_()
        result = RESAMPLING[name.split("_")[1]](at, kernel)
        case.compare(name, torch.autograd.grad((result * case.tensor("grad_cotangent")).sum(), at)[0])


def biases(case: Case, config: Fields) -> None:
    for name, given in config["activation_defaults"].items():
        assert abs(default_gain(name) - given["gain"]) < 1e-12, f"{name} has another gain"
        assert given["alpha"] == (0.2 if name == "lrelu" else 0)
    for name in case.names("biasact_"):
        kind = name.removeprefix("biasact_")
        given = config["biasact"].get(kind, {})
        x = scaled(case, given.get("input", "x"))
        bias = None if given.get("bias", True) is False else case.tensor("bias")
        if given.get("dim", 1) != 1:
            bias = case.tensor(f"bias{x.shape[given['dim']]}")
        activation = given.get("activation", "lrelu" if kind.startswith("dim") else kind.split("_")[0])
        options = options_of(given, alpha="slope")
        case.compare(name, bias_act(x, bias, activation=activation, **options))


def scaled(case: Case, words: str) -> Tensor:
    """An array, or "3*x"."""
    factor, _, name = words.rpartition("*")
    return case.tensor(name) * float(factor or 1)


def convolutions(case: Case, params: Fields) -> None:
    x = case.tensor("conv_x")
    results = [name for name in case.names("conv_") if name not in case.manifest["inputs"]]
    for name in results:
        given = params[name]
        weight = case.tensor("conv_wg" if given.get("groups", 1) > 1 else "conv_w1" if "1x1" in name else "conv_w3")
        options = options_of(given)
        options["flip"] = not given.get("flip_weight", True)
        case.compare(name, resampled_conv2d(x, weight, case.tensor("filter_1331"), **options))


def modulations(case: Case, config: Fields) -> None:
    x, styles, kernel = case.tensor("conv_x"), case.tensor("mod_styles"), case.tensor("filter_1331")
    for name, given in config.items():
        weight = case.tensor("conv_w1" if "1x1" in name else "conv_w3")
        noise = case.tensor(given["noise"]) if "noise" in given else None
        options = options_of(given)
        options["flip"] = not given.get("flip_weight", True)
        for fused in (True, False):
            result = modulated_conv2d(x, weight, styles, noise=noise, kernel=kernel, fused=fused, **options)
            case.compare(f"mod_{name}_{'fused' if fused else 'unfused'}", result)


def filtered_activations(case: Case, config: Fields) -> None:
    """An activation on a finer grid (StyleGAN3), of the same parts; PoF3D has it and uses it nowhere."""
    for name in case.names("filtered_lrelu"):
        if name in case.manifest["inputs"]:
            continue
        given = config[name]
        x, kernel = scaled(case, given.get("input", "conv_x")), kernel_of(case, given["filters"])
        bias = case.tensor("filtered_lrelu_bias") if given.get("bias", "clamp" not in name) else None
        up, down = given["up"], given["down"]
        x = upfirdn2d(bias_act(x, bias), kernel, up=up, padding=given["padding"], gain=up**2)
        x = bias_act(x, activation="lrelu", slope=given["slope"], gain=given["gain"], clamp=given.get("clamp"))
        case.compare(name, upfirdn2d(x, kernel, down=down))


def block_of(words: str, others: Mapping[str, str], w_dim: int) -> SynthesisBlock:
    """ "in 16 -> 8, resolution 8, skip, is_last, conv_clamp 1.25": also "as skip, ..." of another one."""
    same = re.match(r"as (\w+)", words)
    if same:
        words = f"{others[same[1]]}, {words}"
    sizes = re.search(r"in (\d+)[^,]*-> (\d+)", words)
    resolution, channels = re.search(r"resolution (\d+)", words), re.search(r"img_channels (\d+)", words)
    clamp = re.search(r"conv_clamp ([\d.]+)", words)
    assert sizes and resolution, f"config.blocks says {words!r}, of which the sizes are not known here"
    if channels is None:
        channels = re.search(r"img_channels (\d+)", " ".join(others.values()))
    assert channels, "config.blocks names no img_channels"
    return SynthesisBlock(
        int(sizes[1]),
        int(sizes[2]),
        w_dim,
        int(resolution[1]),
        int(channels[1]),
        last="is_last" in words,
        architecture="resnet" if "resnet" in words else "skip",
        up=1 if "no upsampling" in words else 2,
        clamp=float(clamp[1]) if clamp else None,
    )


@check("pof3d", "synthesis_block")
def synthesis_block(case: Case) -> None:
    config = case.config
    weights_are_filters(config)
    ws, x, image = case.tensor("ws"), case.tensor("x"), case.tensor("img")
    for result in case.names(suffix="_x"):
        label = result.removesuffix("_x")
        name = label.split("_")[0]
        block = filled(block_of(config["blocks"][name], config["blocks"], config["w_dim"]), case, f"{name}.")
        words = config["noise"].get(label, config["noise"]["default"])
        noise: Any = words
        if "/" in words:
            first, second = words.split("/")
            arrays = (first, f"{first.rstrip('0123456789')}{second}")
            noise = iter([case.tensor(array) for array in arrays])
        given = (None, None) if block.inputs == 0 else (x, image)
        slots = ws[:, : block.convolutions + 1]
        features, made = block(*given, slots, noise=noise)
        case.compare(result, features)
        case.compare(f"{label}_img", made)


@check("pof3d", "synthesis_network")
def synthesis_network(case: Case) -> None:
    config = case.config
    net = SynthesisNetwork(
        config["w_dim"],
        config["img_resolution"],
        config["img_channels"],
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        half_resolutions=config["num_fp16_res"],
        clamp=256.0 if config["num_fp16_res"] else None,
    )
    assert net.slots == config["num_ws"], "config.num_ws is not what the network takes"
    case.compare("planes", filled(net, case)(case.tensor("ws"), noise=config["noise_mode"]))


def pose_head(mapping: Mapping[str, Any], call: Mapping[str, Any]) -> PoseHead:
    """The head of published arguments: of the mapping network, and of its call."""
    learned = "nothing" if mapping.get("cam_dim", 2) == 2 else "fov" if mapping.get("learn_fov") else "radius"
    clamps = {name: None if call.get(name) is None else tuple(call[name]) for name in ("clamp_h", "clamp_v")}
    return PoseHead(
        learned=learned,  # type: ignore[arg-type]
        linear=mapping.get("linear_pose", False),
        rate=mapping.get("lr_multiplier_pose", 0.01),
        yaw="number",
        elevation="free",
        uniform=mapping.get("uniform_sampling", False),
        detached=mapping.get("detach_w", False),
        yaw_mean=call["h_mean"],
        clamp_yaw=clamps["clamp_h"],
        clamp_elevation=clamps["clamp_v"],
    )


@check("pof3d", "mapping")
def mapping(case: Case) -> None:
    config, call = case.config, case.manifest["call"]
    network = Network(
        z_dim=config["z_dim"],
        w_dim=config["w_dim"],
        mapping_layers=config["num_layers"],
        mapping_rate=config["lr_multiplier"],
    )
    head = pose_head(config, call)
    third = call["fov_mean" if head.learned == "fov" else "r_mean"] if head.size == 3 else 0.0
    net = filled(PoseMapping(network, head, third_mean=third, linear_means=True), case)
    net.average_decay = config["w_avg_beta"]
    torch.testing.assert_close(net.w_avg, case.tensor("w_avg_before"))
    w = net(case.tensor("z"))
    case.compare("w", w)
    case.compare("cam_params", net.pose(w))
    ws = w[:, None].expand(-1, config["num_ws"], -1)
    for name, run in config["runs"].items():
        found = net.truncate(ws, run["psi"], run["cutoff"])[:, run["slots"]]
        case.compare(name, found[:, 0] if case.arrays[name].ndim == 2 else found)
    net.update_average(w)
    case.compare("w_avg_after_update", net.w_avg)


KNOWN_FOV = {"intrinsics_fov49": 49.134342641202636}
"""Degrees that the case's manifest does not say."""


@check("pof3d", "cameras_rays")
def cameras_rays(case: Case) -> None:
    config = case.config
    assert config["constants"] == {"pi": 3.14159, "sqrt2": 1.414}
    poses = torch.stack((case.tensor("h"), case.tensor("v")), dim=1)
    for name, rig in config["datasets"].items():
        case.compare(
            f"c2w_{name}", camera_poses(poses, pivot=tuple(map(float, rig["pivot"])), radius=float(rig["radius"]))
        )
    case.compare("c2w_radius_per_sample", camera_poses(poses, radius=case.tensor("radius_per_sample")[:, 0]))
    for name in case.names("intrinsics_fov"):
        degrees = (config["fov_deg"] | KNOWN_FOV)[name]
        case.compare(name, intrinsics_of(focal_of(degrees, truncated=True))[0])
    compare_rays(case)
    compare_mirrors(case, poses)
    compare_box(case)
    depth = case.tensor("depth")
    case.compare("normal_from_depth", normals_of_depth(depth, config["normal_fov"]))


def compare_rays(case: Case) -> None:
    """Rays of the cameras that the name says; where it says none, of those that look at the origin."""
    for name, given in case.config["rays"].items():
        label = name.split("_")[0]
        rig = case.config["datasets"].get(label) or case.config["datasets"]["cats"]
        poses = torch.stack((case.tensor("h"), case.tensor("v")), dim=1)
        pose = camera_poses(poses, pivot=tuple(map(float, rig["pivot"])), radius=float(rig["radius"]))
        origins, directions = image_rays(pose, intrinsics_in(case, given).expand(len(pose), 3, 3), given["resolution"])
        for kind, rays in (("o", origins), ("d", directions)):
            if f"rays_{kind}_{name}" in case:
                case.compare(f"rays_{kind}_{name}", rays)


def intrinsics_in(case: Case, given: Fields) -> Tensor:
    """A focal length, a field of view by its name, or a given matrix."""
    if "focal" in given:
        return intrinsics_of(given["focal"])
    name = given["intrinsics"]
    if name in case.manifest["inputs"]:
        return case.tensor(name)[None]
    return intrinsics_of(focal_of(case.config["fov_deg"][name], truncated=True))


def compare_mirrors(case: Case, poses: Tensor) -> None:
    for name in case.names("flip_"):
        both = name.startswith("flip_both_")
        kinds = MIRRORS["flip_both" if both else "flip_both_shapenet"]
        label = name.split("_")[-1] if both else name.split("_")[1]
        rig = case.config["datasets"][label]
        pose = camera_poses(poses, pivot=tuple(map(float, rig["pivot"])), radius=float(rig["radius"]))
        case.compare(name, mirrored(pose, kinds["second" in name]))


def compare_box(case: Case) -> None:
    """Ours tells a miss beside the distances."""
    origins, directions = case.tensor("box_rays_o"), case.tensor("box_rays_d")
    half = torch.full((3,), case.config["box_side"] / 2)
    near, far, hit = ray_box(origins[0], directions[0], torch.stack((-half, half)), backwards=True)
    miss_near, miss_far = case.config["miss"]
    case.compare("box_near", torch.where(hit, near, float(miss_near))[None, :, None])
    case.compare("box_far", torch.where(hit, far, float(miss_far))[None, :, None])


@check("pof3d", "triplane_decoder")
def triplane_decoder(case: Case) -> None:
    config = case.config
    decoder = filled(Decoder(config["n_features"], config["hidden"], config["decoder_lr_mul"]), case)
    planes, unit = case.tensor("planes"), case.tensor("xyz_unit")
    assert planes.shape[-1] == config["plane_resolution"], "config.plane_resolution is not that of the planes"
    assert config["out"] == config["n_features"] + 1
    given = {"padding": config["padding"], "align_corners": config["align_corners"]}
    for kind, words in config["axes"].items():
        axes: Any = tuple((("xyz".index(pair[0]), "xyz".index(pair[1]))) for pair in words)
        assert axes == AXES[kind], f"config.axes.{kind} is {words}, which is not known here"
        each = plane_features(planes, unit, axes, **given)
        if f"features_{kind}_first8" in case:
            case.compare(f"features_{kind}_first8", each[:, :, :8])
        for label, box in config["box_warps"].items():
            query = PlanesQuery(planes, decoder, box, axes)
            points = unit * (box / 2)
            for fast in (False, True):
                with torch.no_grad() if fast else nullcontext():
                    found, features = query(points), query.features(points)
                case.compare(f"sigma_{label}_{kind}", found.geometry[..., None])
                for name, values in (("features_mean", features), ("rgb", found.values)):
                    if f"{name}_{label}_{kind}" in case:
                        case.compare(f"{name}_{label}_{kind}", values)
            if f"uv_{label}_{kind}" in case:
                case.compare(f"uv_{label}_{kind}", plane_coordinates(unit, axes))


@check("pof3d", "importance_march")
def importance_march(case: Case) -> None:
    config = case.config
    config.one_of("clamp_mode", "softplus")
    z, u = case.tensor("z")[..., 0], case.tensor("u")
    weights = pooled_weights(case.tensor("weights")[..., 0])[..., 1:-1]
    case.compare("importance_depths", importance(middles(z), weights, u[None])[..., None])
    colors, density = case.tensor("colors").sigmoid(), case.tensor("sigma")[..., 0]
    for name, run in config["runs"].items():
        given = torch.full_like(density, run["density"]) if "density" in run else density
        if "density" in run:
            assert run["density"] == config["empty_density"]
        rays = replace(Rays(), white=run.get("white_back", False))
        samples = FieldSamples(given, colors)
        found = composite(samples, z, z[..., :1], z[..., -1:], sampling_of(rays))
        seen = seen_of(found, rays, Compat(batch_depth=True))
        results = {
            "rgb": seen.colors,
            "depth": seen.depth[..., None],
            "weights": found.weights[..., None],
            "T": seen.passed[..., None],
        }
        for part, values in results.items():
            if f"{name}_{part}" in case:
                case.compare(f"{name}_{part}", values)


def published_rays(kwargs: Mapping[str, Any], raw_resolution: int = 64) -> Rays:
    """Published rendering arguments as ours."""
    assert kwargs.get("clamp_mode", "softplus") == "softplus", "only the clamp_mode softplus is known here"
    auto = kwargs["ray_start"] == kwargs["ray_end"] == "auto"
    return Rays(
        near=None if auto else kwargs["ray_start"],
        far=None if auto else kwargs["ray_end"],
        box=kwargs["box_warp"],
        coarse=kwargs["depth_resolution"],
        fine=kwargs["depth_resolution_importance"],
        disparity=kwargs["disparity_space_sampling"],
        white=kwargs.get("white_back", False),
        raw_resolution=raw_resolution,
    )


@check("pof3d", "renderer")
def renderer(case: Case) -> None:
    config = case.config
    planes, origins, directions = (case.tensor(name) for name in ("planes", "rays_o", "rays_d"))
    count = config["render_resolution"] ** 2
    assert origins.shape[:2] == (config["batch"], count) == (config["batch"], config["rays"])
    assert planes.shape[-1] == config["plane_resolution"], "config.plane_resolution is not that of the planes"
    assert config["wrong"] == (config["plane_axes"] == "legacy")
    rays = published_rays(config["rendering_kwargs"])
    decoder = filled(Decoder(planes.shape[2]), case)
    compat = Compat(batch_depth=True, late_misses=True)
    levels = case.tensor("u").reshape(len(origins), count, -1) if rays.fine else torch.zeros(len(origins), count, 0)
    empty = torch.zeros(len(origins), count, 0)
    noise = RaySampleNoise(case.tensor("jitter")[..., 0], levels, empty, empty)
    query = PlanesQuery(planes, decoder, rays.box, axes_of(config["wrong"]))
    seen = see(query, origins, directions, noise, rays, compat)
    results = {
        "all_depths": seen.samples.samples,
        "final_weights": seen.samples.weights,
        "depth": seen.depth,
        "weight_sum": seen.alpha,
        "bg_transmittance": seen.passed,
    }
    if rays.fine:
        first = see(query, origins, directions, noise, replace(rays, fine=0), compat).samples
        points = origins[:, :, None] + first.samples[..., None] * directions[:, :, None]
        results["coarse_depths"], results["coarse_weights"] = first.samples, first.weights
        results["coarse_sigma"] = query(points.flatten(1, 2)).geometry.reshape(first.samples.shape)
    case.compare("features", seen.colors)
    for name, values in results.items():
        case.compare(name, values[..., None])


@check("pof3d", "background_nerf")
def background_nerf(case: Case) -> None:
    config, given = case.config, case.config["bg_kwargs"]
    for name, known in {
        "positional_encoding": "normal", "downscale_p_by": 1, "skips": [], "inverse_sphere": True,
        "use_style": "StyleGAN2", "predict_rgb": True, "use_viewdirs": False,
    }.items():  # fmt: skip
        given.one_of(name, known)
    options = Background(
        width=given["hidden_size"],
        blocks=given["n_blocks"],
        samples=given["num_bg_pts"],
        start=given["bg_start"],
        frequencies=config["frequencies"],
    )
    net = filled(BackgroundField(options, config["w_dim"], config["rgb_out_dim"]), case)
    assert net.slots == config["num_ws"], "config.num_ws is not what the field takes"
    inverse = case.tensor("inv_depth")
    assert inverse.shape[-1] == options.samples, "config.bg_kwargs.num_bg_pts is not that of the array"
    points, distance = inverted_sphere(case.tensor("rays_o"), case.tensor("rays_d"), inverse)
    case.compare("points", points)
    case.compare("depth_real", distance)
    # The highest octave turns the last bit of a point into 1e-4: it is taken from the case.
    density, colors = net(case.tensor("points").flatten(1, 2), case.tensor("ws"))
    case.compare("features", colors)
    case.compare("sigma", density[..., None])


@check("pof3d", "superres")
def superres(case: Case) -> None:
    config = case.config
    kind = config["module"].removeprefix("SuperresolutionHybrid")
    config.one_of("rgb", "first three channels of x")
    x, w = case.tensor("x"), case.tensor("ws")
    assert list(x.shape[2:]) == config["input_size"], "config.input_size is not that of x"
    half = config["sr_num_fp16_res"] > 0
    net = Superresolution(kind, config["channels"], w.shape[-1], config["img_resolution"], half_precision=half)
    image, _ = filled(net, case)(x[:, :3], x, w, noise=config["noise_mode"])
    stride = config["stride"]
    case.compare("image_strided", image[:, :, ::stride, ::stride])
    case.compare("image_mean_std", torch.stack((image.mean(dim=(0, 2, 3)), image.std(dim=(0, 2, 3)))))


def published_config(config: Mapping[str, Any]) -> Pof3dConfig:
    """Published arguments of a generator as ours."""
    kwargs = config["rendering_kwargs"]
    module = kwargs["superresolution_module"]
    call = {name: kwargs.get(name) for name in ("h_mean", "clamp_h", "clamp_v")}
    mapping = {"num_layers": 2, "lr_multiplier": 0.01, **config.get("mapping_kwargs", {})}
    return Pof3dConfig(
        resolution=config["img_resolution"],
        network=Network(
            z_dim=config["z_dim"],
            w_dim=config["w_dim"],
            mapping_layers=mapping["num_layers"],
            mapping_rate=mapping["lr_multiplier"],
            channel_base=config["channel_base"],
            channel_max=config["channel_max"],
            noise=config["use_noise"],
            decoder_rate=kwargs["decoder_lr_mul"],
            superresolution=module.rpartition("SuperresolutionHybrid")[2] if module else "none",  # type: ignore[arg-type]
            superresolution_noise=kwargs["superresolution_noise_mode"],
            superresolution_half=config.get("sr_num_fp16_res", 4) > 0,
        ),
        pose=pose_head(mapping, call),
        rig=Rig(
            pivot=tuple(map(float, kwargs["avg_camera_pivot"])),  # type: ignore[arg-type]
            radius=kwargs["avg_camera_radius"],
        ),
        rays=published_rays(kwargs),
        compat=Compat(
            repeated_axes=kwargs["wrong"],
            linear_means=True,
            overwritten_raw=True,
            batch_depth=True,
            late_misses=True,
            unused_fov=True,
            random_rendering=True,
        ),
    )


def given_draws(case: Case, shape: tuple[int, int, int], rays: Rays) -> RaySampleNoise:
    """Jitter and importance levels: arrays, or made again as `draws` of the manifest says."""
    n, side, _ = shape
    if "draws" in case.manifest:
        parts = [drawn(row) for row in case.manifest["draws"] if not row["kind"].startswith("randn")]
    else:
        parts = [case.tensor("jitter"), case.tensor("u")]
    empty = torch.zeros(n, side**2, 0)
    levels = parts[1].reshape(n, side**2, rays.fine) if rays.fine else empty
    return RaySampleNoise(parts[0].reshape(n, side**2, rays.coarse), levels, empty, empty)


def drawn(row: Mapping[str, Any]) -> Tensor:
    found = re.fullmatch(r"default_rng\((\d+)\)\.(random|standard_normal)\(shape, dtype=float32\)", row["numpy"])
    assert found, f"draws of manifest.json say {row['numpy']!r}, which is not known here"
    rng = np.random.default_rng(int(found[1]))
    values = torch.from_numpy(getattr(rng, found[2])(row["shape"], dtype=np.float32))
    assert values.flatten()[: len(row["first"])].tolist() == row["first"], "the draws are others"
    return values


@check("pof3d", "generator")
def generator(case: Case) -> None:
    run, config = case.manifest["render"], case.config
    ours = published_config(config)
    net = filled(Pof3dGenerator(ours), case)
    z, label, side = case.tensor("z"), case.tensor("label"), run["neural_rendering_resolution"]
    seeds = case.manifest["seeds"]["z"]
    assert seeds["kind"] == "numpy RandomState" and label.shape[1] == config["c_dim"]
    for row, seed in zip(z, run["seeds"], strict=True):
        torch.testing.assert_close(
            row, torch.from_numpy(np.random.RandomState(seed).randn(len(row)).astype(np.float32))
        )
    with torch.no_grad():
        mapped = net.map(z, run["truncation_psi"], run["truncation_cutoff"])
        case.compare("ws", mapped.ws[:, 0])
        case.compare("cam_pose", mapped.pose)
        world, _ = net.cameras(mapped.pose)
        if run["explicit_camera"]:
            given = "c2w" in case.manifest["inputs"]
            world = case.tensor("c2w") if given else label[:, :16].reshape(-1, 4, 4)
        case.compare("c2w", world)
        intrinsics = label[:, 16:].reshape(-1, 3, 3)
        noise = run["noise_mode"]
        if noise == "random":
            noise = iter([drawn(row) for row in case.manifest["draws"] if row["kind"].startswith("randn")])
        planes = net.planes(mapped.ws, noise=noise)
        flat = planes.flatten(1, 2)
        steps = run["stored"]["planes"]
        case.compare("planes_strided", flat[:, :: steps[0], :: steps[1], :: steps[2]])
        case.compare("planes_mean_std", torch.stack((flat.mean(dim=(2, 3)), flat.std(dim=(2, 3)))))
        draws = given_draws(case, (len(z), side, side), ours.rays)
        made = net.synthesize(mapped.ws, world, intrinsics, resolution=side, draws=draws, planes=planes)
        stride = run["stored"]["image"]
        case.compare("image", made.image[:, :, ::stride, ::stride])
        case.compare("image_raw", made.image_raw)
        case.compare("image_raw_before_sr", made.features[:, :3])
        case.compare("image_depth", made.depth)
        height, width = run["normal_map_size"]
        assert height == width
        case.compare("normal_map", normal_map(made.depth, height))
        found = net.query(planes)(case.tensor("xyz"))
        case.compare("sigma", found.geometry[..., None])
        case.compare("rgb_first3", found.values[..., :3])


DATASETS = {"shapenet": "shapenetcars"}
"""The release's names of data sets, where ours are others."""


@check("pof3d", "checkpoint_keys")
def checkpoint_keys(case: Case) -> None:
    """Names, shapes and counts of the published networks; what ours leave out is counted as published."""
    config = case.config
    ours = preset(DATASETS.get(config["dataset"], config["dataset"]))
    assert ours.resolution == config["img_resolution"]
    head = replace(ours.pose, yaw="number", elevation="free")
    nets: dict[str, nn.Module] = {
        "G_ema": Pof3dGenerator(replace(ours, pose=head)),
        "D": Pof3dDiscriminator(DiscriminatorConfig(resolution=ours.resolution, pose_coding="angles")),
    }
    totals = []
    for name, net in nets.items():
        rows = {row["key"]: row for row in case.manifest["tensors"] if row["key"].startswith(f"{name}.")}
        left_out = {key: row for key, row in rows.items() if key.endswith(LEFT_OUT)}
        parameters = {f"{name}.{key}": value for key, value in net.named_parameters()}
        state = {f"{name}.{key}": value for key, value in net.state_dict().items()}
        assert set(state) == set(rows) - set(left_out), f"{name}: {sorted(set(state) ^ set(rows) - set(left_out))}"
        for key, value in state.items():
            assert list(value.shape) == rows[key]["shape"], key
            assert rows[key]["kind"] == ("parameter" if key in parameters else "buffer"), key
        buffers = sum(value.numel() for key, value in state.items() if key not in parameters)
        buffers += sum(math.prod(row["shape"]) for row in left_out.values())
        totals.append([sum(value.numel() for value in parameters.values()), buffers, len(rows)])
    case.compare("totals", np.array(totals))
    named = [[config["totals"][name][part] for part in ("parameters", "buffers", "tensors")] for name in nets]
    assert totals == named, "config.totals are others"
