"""Networks of PoF3D so small that a step takes milliseconds, photos for them, and chance that can be had again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from monoform.methods.pof3d.config import Network, Pof3dConfig, PoseHead, Rays, Rig
from monoform.methods.pof3d.discriminator import DiscriminatorConfig
from monoform.methods.pof3d.networks import Pof3dNetworks
from monoform.methods.pof3d.published_steps import PublishedSteps
from monoform.methods.pof3d.step_parts import Chance
from monoform.methods.pof3d.steps import Steps
from monoform.methods.pof3d.training_config import Pof3dTraining

SIDE = 16
TINY = Pof3dConfig(
    resolution=SIDE,
    network=Network(
        z_dim=8,
        w_dim=8,
        channel_base=64,
        channel_max=8,
        plane_resolution=8,
        plane_features=8,
        decoder_width=8,
        superresolution="2X",
    ),
    pose=PoseHead(yaw_mean=1.0),
    rig=Rig(radius=1.7, focal=1.025),
    rays=Rays(near=0.9, far=2.5, box=1.6, coarse=4, fine=4, white=True, raw_resolution=8),
)
JUDGE = DiscriminatorConfig(resolution=SIDE, channel_base=128, channel_max=8, mapping_layers=2)
OPTIONS = Pof3dTraining(
    network=TINY,
    discriminator=JUDGE,
    batch=4,
    resolution_start=8,
    density_points=16,
    blur=0.0,
    metric_images=8,
)


def networks(seed: int = 0, options: Pof3dTraining = OPTIONS) -> Pof3dNetworks:
    """Random ones, whose poses differ from latent to latent."""
    torch.manual_seed(seed)
    found = Pof3dNetworks(options.networks())
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if "noise_strength" in name:
                parameter.fill_(0.1)
    return found


def steps_of(options: Pof3dTraining, nets: Pof3dNetworks | None = None, **more: Any) -> Steps:
    """The losses of options, of micro-batches that are whole steps."""
    nets = nets or networks(options=options)
    assert nets.discriminator is not None
    kind = PublishedSteps if options.published else Steps
    return kind(nets.generator, nets.discriminator, options, images_a_step=options.batch, **more)


class Even(Chance):
    """Samples at the middles of their parts, layers without noise, a mirror that is said: no two renderings differ."""

    def __init__(self, seed: int = 0, *, first: bool = True) -> None:
        super().__init__(torch.Generator().manual_seed(seed))
        self.first = first

    def first_mirror(self) -> bool:
        return self.first

    def places(self) -> None:
        return None

    def noise(self) -> Any:
        return "none"


def latents(count: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(count, TINY.network.z_dim, generator=torch.Generator().manual_seed(seed))


def real_images(count: int = 4, seed: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def gradients(net: nn.Module, others: nn.Module, terms: Any) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What terms give to the parameters of one network, and what they log."""
    net.requires_grad_(True).zero_grad()
    others.requires_grad_(False)
    logged: dict[str, float] = {}
    for loss, metrics in terms:
        loss.backward()
        logged |= {name: float(value.detach()) for name, value in metrics.items()}
    found = {name: each.grad.clone() for name, each in net.named_parameters() if each.grad is not None}
    net.zero_grad()
    return found, logged


def of_generator(steps: Steps, chance: Chance, images: float = 1e6) -> tuple[dict[str, Tensor], dict[str, float]]:
    return gradients(steps.generator, steps.discriminator, steps.generator_terms(latents(), images, chance))


def of_smoothness(steps: Steps, chance: Chance, images: float = 1e6) -> tuple[dict[str, Tensor], dict[str, float]]:
    return gradients(steps.generator, steps.discriminator, steps.smoothness_terms(latents(), images, chance))


def of_discriminator(steps: Steps, chance: Chance, images: float = 1e6) -> tuple[dict[str, Tensor], dict[str, float]]:
    terms = steps.discriminator_terms(latents(), real_images(), images, chance)
    return gradients(steps.discriminator, steps.generator, terms)


def of_penalty(steps: Steps, chance: Chance, images: float = 1e6) -> tuple[dict[str, Tensor], dict[str, float]]:
    terms = steps.penalty_terms(real_images(), images, chance)
    return gradients(steps.discriminator, steps.generator, terms)


PHASES = (of_generator, of_smoothness, of_discriminator, of_penalty)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor], share: float = 1e-4) -> None:
    """Gradients of the same parameters, up to rounding."""
    assert set(first) == set(second)
    for name, values in first.items():
        torch.testing.assert_close(
            values, second[name], rtol=share, atol=share * float(values.abs().max()) + 1e-9, msg=name
        )


def photo_folder(folder: Path, count: int = 12, side: int = SIDE) -> Path:
    """Discs of one color each on white, at random places: photos of a kind of object."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] + 0.5
    for number in range(count):
        x, y = draw.uniform(0.4, 0.6, 2) * side
        inside = (columns - x) ** 2 + (rows - y) ** 2 < (draw.uniform(0.25, 0.35) * side) ** 2
        pixels = np.where(inside[..., None], draw.integers(0, 200, 3), 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def changed(options: Pof3dTraining = OPTIONS, **fields: Any) -> Pof3dTraining:
    return replace(options, **fields)
