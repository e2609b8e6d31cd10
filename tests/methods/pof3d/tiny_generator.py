"""A PoF3D small enough for tests."""

from __future__ import annotations

from dataclasses import replace

import torch

from monoform.methods.pof3d.config import Network, Pof3dConfig
from monoform.methods.pof3d.discriminator import DiscriminatorConfig, Pof3dDiscriminator
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.presets import preset

SMALL = preset("small")
TINY: Pof3dConfig = replace(
    SMALL,
    resolution=32,
    network=Network(
        z_dim=8,
        w_dim=8,
        channel_base=64,
        channel_max=8,
        plane_resolution=8,
        plane_features=4,
        decoder_width=8,
        superresolution="none",
    ),
    rays=replace(SMALL.rays, coarse=6, fine=6, raw_resolution=32),
)


def tiny_generator(seed: int = 0, config: Pof3dConfig = TINY) -> Pof3dGenerator:
    """Random weights, with something to see and poses that vary."""
    torch.manual_seed(seed)
    net = Pof3dGenerator(config).eval().requires_grad_(False)
    net.decoder.net[2].bias[0] += 5
    return net


def tiny_discriminator(seed: int = 0, resolution: int = 32) -> Pof3dDiscriminator:
    """Random weights."""
    torch.manual_seed(seed)
    config = DiscriminatorConfig(resolution=resolution, channel_base=256, channel_max=8, mapping_layers=1)
    return Pof3dDiscriminator(config).eval().requires_grad_(False)
