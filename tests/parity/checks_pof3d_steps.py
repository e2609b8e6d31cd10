"""A training iteration of PoF3D, its four phases, against golden cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tests.parity.checks_pof3d_model import published_rays, tensors
from tests.parity.checks_pof3d_training import filled_discriminator
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from tests.parity.tolerances import differing_share
from torch import Tensor, nn
from torch.nn.functional import interpolate

from monoform.methods.pof3d.config import Compat, Network, Pof3dConfig, PoseHead, Rig
from monoform.methods.pof3d.discriminator import DiscriminatorConfig
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.poses import intrinsics_of
from monoform.methods.pof3d.published_steps import PublishedSteps
from monoform.methods.pof3d.step_parts import Chance, Term
from monoform.methods.pof3d.training_config import Pof3dTraining
from monoform.render import RaySampleNoise


class GivenChance(Chance):
    """The draws of a phase in its order, and coins that go on from phase to phase."""

    def __init__(self, case: Case, phase: str, coins: Iterator[float]) -> None:
        super().__init__(torch.Generator())
        self.coins = coins
        self.given = iter([case.tensor(name) for name in case.names(f"draw/{phase}/")])

    def uniform(self, *shape: int) -> Tensor:
        return next(self.given).reshape(shape)

    def normal(self, *shape: int) -> Tensor:
        return next(self.given).reshape(shape)

    def first_mirror(self) -> bool:
        return next(self.coins) < 0.5

    def places(self) -> RaySampleNoise:
        strata = next(self.given)[..., 0]
        levels = next(self.given).reshape(*strata.shape[:2], -1)
        return RaySampleNoise(strata, levels, strata[..., :0], strata[..., :0])

    def noise(self) -> Any:
        """The backbone of a training has no noise where the case draws none."""
        return "none"


def generator_config(given: Fields, label: Tensor, fill: Mapping[str, Any]) -> Pof3dConfig:
    """A published generator's arguments, and the camera of its labels, as our configuration."""
    kwargs = given["rendering_kwargs"]
    kwargs.one_of("superresolution_noise_mode", "none")
    kwargs.one_of("rnd_pose_ford", False)
    module = kwargs["superresolution_module"].rpartition("SuperresolutionHybrid")[2]
    names = [row["key"] for row in fill["tensors"]]
    camera = label[0, 16:].reshape(3, 3)
    focal = camera[0, 0]
    torch.testing.assert_close(camera, intrinsics_of(focal[None])[0])
    return Pof3dConfig(
        resolution=given["img_resolution"],
        network=Network(
            z_dim=given["z_dim"],
            w_dim=given["w_dim"],
            mapping_layers=sum(name.startswith("backbone.mapping.fc") and name.endswith("weight") for name in names),
            channel_base=given["channel_base"],
            channel_max=given["channel_max"],
            noise=given.get("use_noise", True),
            decoder_rate=kwargs.get("decoder_lr_mul", 1.0),
            superresolution=module,
            superresolution_stop=kwargs.get("detach_w_superres", False),
        ),
        pose=PoseHead(
            learned="fov" if kwargs.get("learn_fov", False) else "nothing",
            linear=any("mapping.affine_layer.weight" in name for name in names),
            yaw="number",
            elevation="free",
            uniform=kwargs.get("uniform_sampling", False),
            detached=kwargs.get("detach_w", False),
            yaw_mean=kwargs["h_mean"],
            clamp_yaw=_pair(kwargs.get("clamp_h")),
            clamp_elevation=_pair(kwargs.get("clamp_v")),
        ),
        rig=Rig(tuple(kwargs["avg_camera_pivot"]), kwargs["avg_camera_radius"], float(focal)),
        rays=published_rays(kwargs),
        compat=Compat(
            repeated_axes=kwargs["wrong"],
            linear_means=True,
            overwritten_raw=True,
            batch_depth=True,
            late_misses=True,
            unused_fov=True,
        ),
    )


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def training_options(settings: Fields, kwargs: Fields) -> Pof3dTraining:
    """Settings of the published loss as our options."""
    return Pof3dTraining(
        batch=settings["batch"],
        gamma=settings["r1_gamma"],
        lambda_cam=kwargs["dis_cam_weight"],
        lambda_gd=kwargs["pose_gd_weight"],
        every_generator=settings["density_reg_gain"],
        every_discriminator=settings["r1_gain"],
        mirrors=kwargs["flip_type"],
        flip_generator=kwargs["flip_to_dis"],
        flip_discriminator=kwargs["flip_to_disd"],
        flip_weight_discriminator=kwargs["flip_to_disd_weight"],
        detach_pose=kwargs.get("detach_pose", False),
        density_reg=kwargs["density_reg"],
        density_distance=kwargs["density_reg_p_dist"],
        density_type=kwargs.one_of("reg_type", "l1", "monotonic-detach", "monotonic-fixed"),
        resolution_start=settings["neural_rendering_resolution"],
        blur=settings["blur_init_sigma"],
        blur_kimg=settings["blur_fade_kimg"],
        pose_swapping=kwargs.get("gpc_reg_prob", 0) or 0,
        style_mixing=kwargs.one_of("style_mixing", 0),
        discriminator=DiscriminatorConfig(group=min(4, settings["batch"])),
        published=True,
    )


def discriminator_of(fill: Fields, given: Fields, kwargs: Fields) -> Any:
    """The discriminator of a fill manifest, which tells its own arguments where they are not the generator's."""
    names = {row["key"] for row in fill["tensors"]}
    images = next(row["shape"][1] for row in fill["tensors"] if row["key"].endswith("fromrgb.weight"))
    config = Fields(
        {
            "cls": "DualDiscriminator" if images == 6 else "SingleDiscriminator_1",
            "img_resolution": given["img_resolution"],
            "channel_base": given["channel_base"],
            "channel_max": given["channel_max"],
            "mapping": {"num_layers": sum(f"mapping.fc{number}.weight" in names for number in range(64))},
            "epilogue": {"dis_linear_pose": "b4.cam_out.weight" in names},
            **fill.get("config", {}),
        },
        "networks.D.config",
    )
    kwargs.one_of("nocond_output", False)
    return filled_discriminator(config, fill)


@check("pof3d", "train_step")
def train_step(case: Case) -> None:
    """The mean style moves in the discriminator's phase alone."""
    settings, networks = case.config["settings"], case.manifest["networks"]
    given, images = networks["G"]["config"], settings["cur_nimg"]
    label = case.tensor("label")
    options = training_options(settings, given["rendering_kwargs"])
    generator = Pof3dGenerator(generator_config(given, label, networks["G"]))
    generator.load_state_dict(tensors(networks["G"]))
    discriminator = discriminator_of(networks["D"], given, given["rendering_kwargs"])
    # Blur fades over the same number of images whatever the batch: the setting says how many.
    steps = PublishedSteps(generator, discriminator, options, images_a_step=32)
    small = case.tensor("real_small")
    size = (given["img_resolution"],) * 2
    real = interpolate(small, size=size, mode="bilinear", align_corners=False).clamp(-1, 1)
    coins = iter(case.config["random_random"])
    phases: dict[str, tuple[nn.Module, nn.Module, Any]] = {
        "Gmain": (generator, discriminator, steps.generator_terms),
        "Greg": (generator, discriminator, steps.smoothness_terms),
        "Dmain": (discriminator, generator, lambda z, *rest: steps.discriminator_terms(z, real, *rest)),
        "Dreg": (discriminator, generator, lambda z, *rest: steps.penalty_terms(real, *rest)),
    }
    logged: dict[str, dict[str, float]] = {}
    for phase, (learning, still, terms) in phases.items():
        learning.requires_grad_(True).zero_grad()
        still.requires_grad_(False)
        chance = GivenChance(case, phase, coins)
        logged[phase] = run_terms(terms(case.tensor(f"z/{phase}"), images, chance))
        assert next(chance.given, None) is None, f"{phase} draws less than the case"
        norms = [gradient_norm(learning, name) for name in case.manifest["gradnorm_keys"][phase]]
        case.compare(f"gradnorm/{phase}", np.array(norms, np.float32))
    logged["Dmain"]["pose_unweighted"] = logged["Dmain"].get("loss_pose", 0.0) / steps.pose_weight
    compare_stats(case, logged, settings["r1_gamma"] / 2 if discriminator.config.dual else settings["r1_gamma"])
    case.compare("density_l1_unweighted", logged["Greg"]["loss_density"] / options.density_reg)
    case.compare("w_avg_after", generator.backbone.mapping.w_avg)


def run_terms(terms: Iterator[Term]) -> dict[str, float]:
    """Gradients of all terms, and what they log."""
    logged: dict[str, float] = {}
    for loss, metrics in terms:
        loss.backward()
        logged |= {name: float(value.detach()) for name, value in metrics.items()}
    return logged


def gradient_norm(net: nn.Module, name: str) -> float:
    """-1 where there is no gradient, as in the case."""
    gradient = net.get_parameter(name).grad
    return -1.0 if gradient is None else float(gradient.norm())


STATS = {
    "Loss/scores/fake": ("score", "score_fake"),
    "Loss/signs/fake": ("sign", "sign_fake"),
    "Loss/G/loss": ("loss_own",),
    "Loss/scores/fake_flip": ("score_mirrored",),
    "Loss/signs/fake_flip": ("sign_mirrored",),
    "Loss/G/loss_flip": ("loss_mirrored",),
    "Loss/G/posegloss": ("loss_pose",),
    "Loss/D/loss_Dcam": ("pose_unweighted",),
    "Loss/D/loss_Dgen": ("loss_fake",),
    "Loss/D/loss_Dgen_flip": ("loss_mirrored",),
    "Loss/scores/real": ("score_real",),
    "Loss/signs/real": ("sign_real",),
    "Loss/r1_penalty": ("penalty",),
}
"""What the published code reports, by the names of ours."""


def compare_stats(case: Case, logged: Mapping[str, Mapping[str, float]], penalty_weight: float) -> None:
    """Weights that are left out of what is reported are left out here."""
    golden, ours = [], []
    for phase, rows in case.manifest["stats"].items():
        found = logged[phase]
        sums = {
            "Loss/D/loss": sum(found.get(name, 0.0) for name in ("loss_fake", "loss_mirrored", "loss_real")),
            "Loss/D/reg": penalty_weight * found.get("penalty", 0.0),
        }
        for name, value in rows:
            golden.append(value)
            own = [found[each] for each in STATS.get(name, ()) if each in found]
            ours.append(own[0] if own else sums[name])
    differing_share("stats", np.array(ours), np.array(golden), case.tolerance("stats"))
