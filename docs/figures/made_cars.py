"""Tiny weights of bootstrap that know made cars roughly, and pictures of such cars.

python docs/figures/made_cars.py OUT --minutes 6 8

The generator learns signed distances and colors of cars that a formula makes of its latent, which takes minutes where
photos would take hours; the encoder learns from the generator's renders alone, as published. OUT/weights is what
`monoform generate` and `reconstruct` take; OUT/car_0.png and so on are pictures of cars.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss

from monoform.camera import Camera, look_at, orbit, spherical_position
from monoform.mesh.texture import to_bytes
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, BootstrapGenerator, Maps
from monoform.methods.bootstrap.cameras import camera_of, published_numbers
from monoform.methods.bootstrap.config import Network, Rays, Scene, Training
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.networks import BootstrapNetworks, NetworksConfig
from monoform.nn.field import Field, FieldSamples
from monoform.scene import Reconstruction
from monoform.training import save_pretrained

SIZE, LATENT, POSES, RENDERS, BATCH = 32, 16, 64, 1024, 8
GLASS, RUBBER, LIGHTS, REAR = (0.12, 0.18, 0.28), (0.05, 0.05, 0.05), (0.98, 0.92, 0.55), (0.75, 0.08, 0.08)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, nargs=2, default=(6, 8), help="of the generator and of the encoder")
    asked = parser.parse_args()
    torch.manual_seed(0)
    config = configuration()
    networks = BootstrapNetworks(NetworksConfig(config, small_encoder(config.network.w_dim)))
    assert networks.encoder is not None
    train_generator(networks.generator, 60 * asked.minutes[0])
    networks.generator.requires_grad_(False)
    train_encoder(networks.encoder, networks.generator, 60 * asked.minutes[1])
    save_pretrained(networks, networks.config, asked.out / "weights", card="Made cars, for a figure.")
    for number in range(4):
        photograph(number, asked.out / f"car_{number}.png")


def configuration() -> BootstrapConfig:
    """Cameras all around, from 8 to 33 degrees above."""
    draw = torch.Generator().manual_seed(5)
    azimuth, up = 2 * math.pi * torch.rand(POSES, generator=draw), torch.rand(POSES, generator=draw)
    eyes = spherical_position(azimuth, math.radians(8) + math.radians(25) * up, 2.2)
    cameras = Camera.from_fov(look_at(eyes, (0.0, 0.0, 0.0)).float(), math.radians(28), SIZE, SIZE)
    matrices, focal = published_numbers(cameras)
    assert focal is not None
    poses = tuple(tuple(matrix.flatten().tolist()) for matrix in matrices)
    scene = Scene(0.55, flipped=False, focals=(float(focal[0]),), poses=poses, pose_focals=tuple(focal.tolist()))
    sizes = {"channel_base": 1024, "channel_max": 64, "plane_resolution": 32, "plane_features": 16, "decoder_width": 48}
    network = Network(z_dim=LATENT, w_dim=64, mapping_rate=1.0, palette=8, **sizes)
    return BootstrapConfig(SIZE, network, scene, Rays(16, 16), Training(alpha=False, augment=0.0, ada_target=None))


def train_generator(net: BootstrapGenerator, seconds: float) -> None:
    """Distances and colors at points, most of them near the surface."""
    assert net.beta is not None and net.alpha is not None
    optimizer = torch.optim.Adam(net.parameters(), 4e-3, betas=(0.0, 0.99))
    for share in until(seconds):
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - share) + 1e-4
        latents = torch.randn(BATCH, LATENT)
        with torch.no_grad():
            points = (torch.rand(BATCH, 5000, 3) - 0.5) * torch.tensor([1.05, 0.62, 0.6])
            near = torch.multinomial(torch.exp(-car(points, latents)[0].abs() / 0.02) + 0.06, 1200)
            points = torch.cat(
                (torch.take_along_dim(points, near[..., None], 1), 1.1 * torch.rand(BATCH, 200, 3) - 0.55), 1
            )
            distance, colors = car(points, latents)
        styles = net.styles(net.map(latents))
        found = net.objects(net.planes(styles), net.palette(styles)).sample(points)
        weight = torch.exp(-distance.abs() / 0.02)
        off = (weight[..., None] * ((found.rgb + 1) / 2 - colors).abs()).sum() / weight.sum() / 3
        loss = 10 * (found.geometry - distance).abs().mean() + off
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
    with torch.no_grad():
        net.beta.fill_(0.008)
        net.alpha.fill_(0.008)


def train_encoder(encoder: BootstrapEncoder, net: BootstrapGenerator, seconds: float) -> None:
    """From a fixed set of renders, which are dear on a CPU."""
    images, coordinates, alpha, latents = (torch.cat(each) for each in zip(*renders(net), strict=True))
    optimizer = torch.optim.Adam(encoder.parameters(), 8e-4)
    for share in until(seconds):
        optimizer.param_groups[0]["lr"] = 8e-4 * (1 - share) + 2e-5
        rows = torch.randint(RENDERS, (BATCH,))
        told = encoder(images[rows])
        assert told.coordinates is not None and told.mask is not None and told.latent is not None
        places = ((told.coordinates - coordinates[rows]).norm(dim=-1) * alpha[rows]).mean()
        loss = places + (told.mask - alpha[rows]).abs().mean() + mse_loss(told.latent[:, 0], latents[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def renders(net: BootstrapGenerator) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Images -1..1, coordinates, opacity and style of random cars from random cameras."""
    draw, scene = torch.Generator().manual_seed(9), net.config.scene
    matrices, focal = torch.tensor(scene.poses).reshape(-1, 4, 4), torch.tensor(scene.pose_focals)
    for _ in range(RENDERS // BATCH):
        style, chosen = (
            net.map(torch.randn(BATCH, LATENT, generator=draw)),
            torch.randint(POSES, (BATCH,), generator=draw),
        )
        cameras = camera_of(matrices[chosen], focal[chosen], (SIZE, SIZE))
        seen = net.render(net.styles(style), cameras, maps=Maps(coordinates=True), draws=draw)
        assert seen.coordinates is not None
        yield seen.rgb.permute(0, 3, 1, 2).clamp(-1, 1), seen.coordinates, seen.alpha, style


def until(seconds: float) -> Iterator[float]:
    """Shares of the time that have passed."""
    begun = time.perf_counter()
    while (share := (time.perf_counter() - begun) / seconds) < 1:
        yield share


def photograph(number: int, file: Path) -> None:
    """A picture with a transparent background of a car of another seed."""
    latents = torch.randn(1, LATENT, generator=torch.Generator().manual_seed(1000 + number))
    azimuths = orbit(12, elevation=0.3, distance=2.2, fov_y=math.radians(28), width=192, height=192)
    shot = Reconstruction(Car(latents)).render(azimuths[(1, 4, 8, 10)[number]], what="mesh")
    Image.fromarray(to_bytes(np.concatenate((shot.rgb, shot.alpha[..., None]), axis=2))).save(file)


class Car(Field):
    """One car, exactly."""

    kind = "sdf"

    def __init__(self, latents: Tensor) -> None:
        self.latents = latents

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSamples:
        distance, colors = car(points.reshape(1, -1, 3), self.latents)
        return FieldSamples(distance.reshape(points.shape[:-1]), colors.reshape(points.shape))


def car(points: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Signed distance and sRGB of cars at points (n, p, 3): x is ahead, y up."""
    share = 0.5 + 0.5 * torch.erf(latents / math.sqrt(2))[:, :, None]

    def drawn(number: int, low: float, high: float) -> Tensor:
        return low + (high - low) * share[:, number]

    long, high, wide = drawn(0, 0.34, 0.44), drawn(1, 0.06, 0.1), drawn(2, 0.15, 0.2)
    back, length, top, radius = drawn(3, -0.14, 0.04), drawn(4, 0.12, 0.2), drawn(5, 0.06, 0.1), drawn(6, 0.065, 0.095)
    x, y, z = points.unbind(dim=-1)
    body = rounded((x, y, z), (long, high, wide))
    cabin = rounded((x - back, y - high - 0.6 * top, z), (length, top, 0.85 * wide))
    rim = torch.hypot(x.abs() - 0.62 * long, y + 0.9 * high) - radius
    beside = (z.abs() - 0.92 * wide).abs() - 0.035
    wheels = torch.hypot(rim.clamp_min(0), beside.clamp_min(0)) + torch.maximum(rim, beside).clamp_max(0)
    distance, part = torch.stack((body, cabin, wheels), dim=-1).min(dim=-1)
    phase = (6 * share[:, 7] + torch.tensor([5.0, 3.0, 1.0])) % 6
    paint = drawn(8, 0.55, 0.95) * (1 - drawn(9, 0.45, 0.95) * torch.minimum(phase, 4 - phase).clamp(0, 1))
    colors = torch.where((part == 2)[..., None], torch.tensor(RUBBER), paint[:, None])
    glass = (part == 1) & (y < high + 1.25 * top)
    for where, color in (
        (glass, GLASS),
        ((part == 0) & (x > 0.86 * long), LIGHTS),
        ((part == 0) & (x < -0.9 * long), REAR),
    ):
        colors = torch.where(where[..., None], torch.tensor(color), colors)
    return distance, colors


def rounded(at: tuple[Tensor, ...], half: tuple[Tensor, ...], radius: float = 0.04) -> Tensor:
    """Signed distance of a box with round edges."""
    off = torch.stack([value.abs() - side + radius for value, side in zip(at, half, strict=True)], dim=-1)
    return off.clamp_min(0).norm(dim=-1) + off.amax(dim=-1).clamp_max(0) - radius


if __name__ == "__main__":
    main()
