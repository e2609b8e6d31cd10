"""PoF3D in small: networks of random weights, and a generator that has been told in seconds what to make."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from tests.pictures import disc, png

from monoform.methods.pof3d.config import Network, Pof3dConfig
from monoform.methods.pof3d.discriminator import DiscriminatorConfig
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.presets import preset

NETWORK = Network(
    z_dim=8,
    w_dim=16,
    channel_base=256,
    channel_max=16,
    plane_resolution=16,
    plane_features=8,
    decoder_width=16,
    superresolution="2X",
)
CONFIG: Pof3dConfig = replace(
    preset("small"),
    resolution=16,
    network=NETWORK,
    rays=replace(preset("small").rays, coarse=8, fine=8, raw_resolution=8),
)
CRITIC = DiscriminatorConfig(resolution=16, channel_base=128, channel_max=8, mapping_layers=2)


def networks(config: Pof3dConfig = CONFIG, critic: DiscriminatorConfig | None = CRITIC) -> Pof3dNetworks:
    """Random ones, whose densities and mean style are as those of a trained network."""
    torch.manual_seed(0)
    made = Pof3dNetworks(NetworksConfig(config, critic))
    net = made.generator
    with torch.no_grad():
        net.decoder.net[2].weight[0] *= 8
        net.backbone.mapping.w_avg.copy_(net.backbone.mapping(torch.randn(256, config.network.z_dim)).mean(0))
    return made.eval()


@cache
def taught(steps: int = 200) -> Pof3dGenerator:
    """A generator of ellipsoids on white: the latent's first numbers are their radii, color goes by the place."""
    torch.manual_seed(0)
    rays = replace(CONFIG.rays, coarse=16, raw_resolution=32)
    config = replace(
        CONFIG, resolution=32, network=replace(NETWORK, channel_base=512, superresolution="none"), rays=rays
    )
    net = Pof3dGenerator(config)
    optimizer = torch.optim.Adam(net.parameters(), 4e-3, betas=(0.0, 0.99))
    with torch.inference_mode(False), torch.enable_grad():
        for _ in range(steps):
            z = torch.randn(8, 8)
            styles = net.map(z, update_average=True).ws
            points = 2.4 * (torch.rand(8, 512, 3) - 0.5)
            radii = 0.5 * (1 + 0.4 * torch.tanh(z[:, None, :3]))
            distance = 0.5 * ((points / radii).norm(dim=-1) - 1)
            found = net.query(net.planes(styles))(points)
            density = (found.geometry - (-60 * distance).clamp(-12, 20)).square().mean() / 100
            color = (found.values[..., :3] - 0.5 - 0.45 * torch.tanh(6 * points)).square()
            loss = density + 4 * (color * (distance < 0.05)[..., None]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.requires_grad_(False).eval()


def pictures(folder: Path) -> Path:
    """Photos of discs, to learn from."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(12):
        rgb, mask = disc(16, 16, 3.0 + number / 4)
        (folder / f"{number:02d}.png").write_bytes(png(rgb * mask[..., None] + 1 - mask[..., None]))
    return folder
