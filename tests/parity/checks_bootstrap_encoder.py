"""Bootstrapped inversion's encoder, pose solver, losses and optimization against their golden cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.camera import rotation_from_quaternion
from monoform.camera.pnp import PnpOptions
from monoform.methods.bootstrap.encoder import BootstrapEncoder, EncoderConfig
from monoform.methods.bootstrap.estimate_pose import EstimatedCameras, PoseOptions, estimate_cameras, focal_guesses
from monoform.methods.bootstrap.objective import Objective
from monoform.methods.bootstrap.opencv_pnp import FAR
from monoform.methods.bootstrap.pose_parameters import (
    DEPTH,
    PoseParameters,
    condition_vectors,
    inverse_matrices,
    perturbed_poses,
    rotation_degrees,
)
from monoform.metrics.lpips import Lpips
from monoform.nn.segformer import SegformerConfig
from monoform.nn.vgg import CHANNELS, Vgg16

SIZES = {"widths": "embed_dims", "heads": "num_heads", "depths": "depths", "mlp_ratios": "mlp_ratios"}


def backbone_of(config: Fields) -> SegformerConfig:
    """The published size, or the sizes that are said."""
    if config.one_of("backbone", "segformer_b5", "segformer") == "segformer_b5":
        return SegformerConfig()
    sizes = {name: tuple(config[theirs]) for name, theirs in {**SIZES, "reductions": "sr_ratios"}.items()}
    return SegformerConfig(
        **sizes,  # type: ignore[arg-type]
        head_width=config["decoder_dim"],
        channels=config["backbone_channels"],
        drop_path=config["drop_path_rate"],
    )


def encoder_of(config: Fields, manifest: Mapping[str, Any]) -> BootstrapEncoder:
    """The encoder of a case, with the weights of a fill manifest."""
    net = BootstrapEncoder(
        EncoderConfig(
            backbone_of(config),
            latent_dim=config.get("latent_dim", 512),
            separate_backbones=config["separate_backbones"],
            pose=config.get("pose_regressor", True),
            latent=config.get("latent_regressor", True),
        )
    )
    net.load_state_dict({name: torch.from_numpy(values) for name, values in fill_state(manifest).items()})
    return net.eval()


def images_of(case: Case) -> Tensor:
    """Images -1..1, whose number and size are those that the case says."""
    case.config.one_of("rgb", "u8/127.5 - 1")
    case.config.one_of("mode", "eval")
    images = case.tensor("image_u8").float() / 127.5 - 1.0
    assert tuple(images.shape) == (case.config["batch"], 3, *case.config["image_size"]), "image_size or batch"
    return images


def compare_encoded(case: Case, net: BootstrapEncoder, images: Tensor) -> None:
    found = net(images)
    for name, values in {
        "out_coords": found.coordinates,
        "out_segmentation": found.mask,
        "out_w": found.latent,
    }.items():
        assert (name in case) == (values is not None), f"{name} is predicted where it should not be, or not"
        if values is not None:
            case.compare(name, values)


@check("bootstrap-inversion", "encoder")
@torch.no_grad()
def encoder(case: Case) -> None:
    config, images = case.config, images_of(case)
    net = encoder_of(config, case.manifest)
    maps = net.backbone.stages(images)
    for number, tokens in enumerate(maps, 1):
        case.compare(f"out_stage{number}_first_tokens", tokens.flatten(1, 2)[:, : config["first_tokens"]])
    features = net.backbone.head(maps)
    assert list(features.shape[2:]) == config["backbone_size"]
    corner = config["backbone_patch"]
    case.compare("out_backbone_mean", features.mean(dim=(2, 3)))
    case.compare("out_backbone_patch", features[:, :, :corner, :corner])
    compare_encoded(case, net, images)


@check("bootstrap-inversion", "encoder-separate")
@torch.no_grad()
def encoder_separate(case: Case) -> None:
    config, images = case.config, images_of(case)
    net = encoder_of(config, case.manifest)
    stride = config["stored"]["channel_stride"]
    case.compare("out_backbone_sub", net.backbone(images)[:, ::stride])
    if "out_backbone_latent_sub" in case:
        case.compare("out_backbone_latent_sub", net.backbone_latent(images)[:, ::stride])
    compare_encoded(case, net, images)


@check("bootstrap-inversion", "pose-utils")
def pose_utils(case: Case) -> None:
    config = case.config
    config.one_of("focal", "f = 1 + exp(z0)")
    for name, kind in config["variants"].items():
        flipped = kind["camera_flipped"]
        orthographic = kind.one_of("projection", "perspective", "orthographic") == "orthographic"
        given = {short: case.tensor(f"{name}_{short}") for short in ("q", "t2", "s")}
        z0 = None if orthographic else case.tensor(f"{name}_z0")
        matrices, focal = PoseParameters(given["q"], given["t2"], given["s"], z0).matrices(flipped=flipped)
        case.compare(f"{name}_out_cam2world", matrices)
        back = PoseParameters.of_matrices(matrices, focal, flipped=flipped)
        if focal is not None and back.focal is not None:
            case.compare(f"{name}_out_focal", focal)
            case.compare(f"{name}_out_back_z0", back.focal)
        case.compare(f"{name}_out_back_t2", back.offset)
        case.compare(f"{name}_out_back_s", back.scale)
        case.compare(f"{name}_out_back_q", signed_like(case, f"{name}_out_back_q", back.quaternion))
        case.compare(f"{name}_out_cond", condition_vectors(matrices, focal, flipped=flipped))
        case.compare(f"{name}_out_inverse", inverse_matrices(matrices))
        case.compare(f"{name}_out_rotdist", rotation_degrees(matrices, matrices.roll(1, 0)))
    name = "p3d_car" if "p3d_car" in config["variants"] else next(iter(config["variants"]))
    rotation = rotation_from_quaternion(case.tensor(f"{name}_q"))
    case.compare("out_qmat", rotation.mT)
    case.compare("out_rotated", case.tensor("v") @ rotation.mT)
    poses = case.tensor("perturb_cam2world")
    chosen = perturbed_poses(poses, config["perturb_degrees"], case.tensor("perturb_u"))
    case.compare("out_perturb_cam2world", poses[chosen])
    case.compare("out_perturb_focal", case.tensor("perturb_focal")[chosen])


def signed_like(case: Case, name: str, quaternion: Tensor) -> Tensor:
    """Quaternions of the signs of the golden ones, where either is allowed."""
    if not case.tolerance(name).get("up_to_sign"):
        return quaternion
    same = (quaternion * torch.from_numpy(case.arrays[name])).sum(dim=1, keepdim=True) >= 0
    return torch.where(same, quaternion, -quaternion)


@check("bootstrap-inversion", "pose-pnp")
def pose_pnp(case: Case) -> None:
    """The published solver is held to the golden poses, ours to the errors that they leave."""
    config = case.config
    config.one_of("pixel_ray", "(j/W - 0.5, i/H - 0.5)")
    config.one_of("orthographic_focal", FAR)
    config.one_of("orthographic_depth", -DEPTH)
    guesses = focal_guesses(case.tensor("train_focals"))
    assert len(guesses) == config["focal_guesses"]
    case.compare("out_focal_guesses", guesses)
    case.taken.update({"true_cam2world", "true_focal", "ortho_true_cam2world"} & set(case.arrays))
    threshold, dummies = config["mask_threshold"], config["dummy"]
    for prefix, focals in (("", guesses), ("ortho_", None)):
        coordinates, mask = case.tensor(f"{prefix}coords"), case.tensor(f"{prefix}mask")
        assert list(mask.shape[1:]) == config["image_size"]
        found = published_cameras(coordinates, mask, focals, threshold)
        if focals is not None and found.focal is not None:
            assert torch.nonzero(~found.found[:, 0])[:, 0].tolist() == dummies["items"]
            assert bool((found.error[~found.found] == dummies["error"]).all())
            case.compare("out_focal", found.focal[:, 0])
        compare_rotations(case, f"{prefix}out_cam2world", found.world_from_camera[:, 0])
        plain = PoseOptions(PnpOptions(samples=0), threshold, confidence=False)
        ours = estimate_cameras(coordinates, mask, focals, options=plain)
        for errors in (found.error, ours.error):
            compare_from_below(case, f"{prefix}out_error", errors[:, 0].double())


def published_cameras(coordinates: Tensor, mask: Tensor, focals: Tensor | None, threshold: float) -> EstimatedCameras:
    return estimate_cameras(coordinates, mask, focals, options=PoseOptions(threshold=threshold, published=True))


def compare_rotations(case: Case, name: str, matrices: Tensor) -> None:
    """Rotations by their angle where the case says one, the rest by its numbers."""
    golden = torch.from_numpy(case.arrays[name])
    ours = matrices.clone()
    if "degrees" in case.tolerance(name):
        angle = rotation_degrees(ours.double(), golden.double()).max()
        assert float(angle) <= case.limit(name, "degrees"), f"{name}: {angle} degrees"
        ours[:, :3, :3] = golden[:, :3, :3]
    case.compare(name, ours)


def compare_from_below(case: Case, name: str, values: Tensor) -> None:
    """Values that may be smaller by any amount, where the case says so."""
    golden = torch.from_numpy(case.arrays[name])
    case.compare(name, torch.maximum(values, golden) if case.tolerance(name).get("one_sided") else values)


def lpips_of(manifest: Mapping[str, Any]) -> Lpips:
    """LPIPS with the weights of a fill manifest, in the names of its release."""
    state = {name.removeprefix("lpips."): torch.from_numpy(values) for name, values in fill_state(manifest).items()}
    vgg = Vgg16()
    names = {f"features.{'.'.join(name.split('.')[2:])}": name for name in state if name.startswith("net.")}
    vgg.load_state_dict({ours: state[theirs] for ours, theirs in names.items()})
    linear = [state[f"lin{number}.model.1.weight"].reshape(-1) for number in range(len(CHANNELS))]
    return Lpips(vgg.requires_grad_(False), linear)


@check("bootstrap-inversion", "inversion-losses")
def inversion_losses(case: Case) -> None:
    config, lpips = case.config, lpips_of(case.manifest)
    config.one_of("gradient_of", "loss with respect to rgb_predicted")
    config.one_of("times_batch", True)
    config.one_of("mixed_factor", 0.5)
    config.one_of("augment_p", 1.0)
    config.one_of("draw_order", ["rotation", "coin", "scale", "coin", "translation", "coin"])
    target = case.tensor("target")
    assert tuple(target.shape[:3]) == (config["batch"], *config["image_size"])
    for kind in config["losses"]:
        rgb = case.tensor("rgb_predicted").clone().requires_grad_()
        objective = Objective(
            kind, lpips, white=config["white_border"], copies=config["augmented_copies"][kind], plain=True
        )
        terms = objective(rgb, target[..., :3], draws=draws_of(case, config["draws"][kind]))
        assert list(terms) == config["terms"][kind]
        total = torch.stack(list(terms.values())).sum()
        case.compare(f"out_{kind}_loss", total)
        case.compare(f"out_{kind}_grad", torch.autograd.grad(total, rgb)[0])
        case.compare(f"out_{kind}_psnr", mean_psnr(rgb, target))
        case.compare(
            f"out_{kind}_lpips", plain_lpips(lpips, rgb, target).reshape(case.arrays[f"out_{kind}_lpips"].shape)
        )


def draws_of(case: Case, names: Sequence[str]) -> Iterator[Tensor]:
    return iter([case.tensor(name) for name in names])


def mean_psnr(rgb: Tensor, target: Tensor) -> Tensor:
    """Of images -1..1 that are clamped, at most 60 dB."""
    ours, theirs = ((images[..., :3].detach() / 2 + 0.5).clamp(0, 1) for images in (rgb, target))
    error = (ours - theirs).square().mean(dim=(1, 2, 3))
    return (-10.0 * error.log10()).clamp_max(60.0).mean()


@torch.no_grad()
def plain_lpips(lpips: Lpips, rgb: Tensor, target: Tensor) -> Tensor:
    return lpips.distances(*(images[..., :3].permute(0, 3, 1, 2) for images in (rgb, target)))
