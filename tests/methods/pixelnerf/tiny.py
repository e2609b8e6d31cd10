"""A small pixelNeRF of random weights, and scenes for it."""

from __future__ import annotations

from dataclasses import replace

import torch

from monoform.camera import Camera, orbit
from monoform.methods.pixelnerf.cameras import published_rays
from monoform.methods.pixelnerf.config import Compat, Domain, Network, PixelNerfConfig, Sampling
from monoform.methods.pixelnerf.encoded import Encoded
from monoform.methods.pixelnerf.model import PixelNerfNet

NETWORK = Network(backbone="resnet18", maps=2, width=24, blocks=4, pooled_block=2)
SAMPLING = Sampling(coarse=12, fine=10, depth=4, depth_std=0.02)


CONFIG = PixelNerfConfig(NETWORK, SAMPLING, Domain(height=32, width=32), Compat(shifted_center=True))


def solid(net: PixelNerfNet, density: float = 40.0) -> PixelNerfNet:
    """One density everywhere: what is left is what the photos' masks allow."""
    with torch.no_grad():
        for perceptron in (net.mlp_coarse, net.mlp_fine):
            perceptron.lin_out.weight[3] = 0.0
            perceptron.lin_out.bias[3] = density
    return net


def config(**network) -> PixelNerfConfig:
    return PixelNerfConfig(replace(NETWORK, **network), SAMPLING)


def net_of(made: PixelNerfConfig | None = None, *, seed: int = 0, spread: float = 1.0) -> PixelNerfNet:
    """Weights none of which is 0, so that every layer has a say."""
    torch.manual_seed(seed)
    net = PixelNerfNet(made or config()).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "mlp" in name:
                fan_in = parameter[0].numel() if parameter.ndim > 1 else 100.0
                parameter.copy_(spread * torch.randn_like(parameter) / fan_in**0.5)
    return net


def cameras_around(count: int, size: int = 24, *, distance: float = 1.3) -> Camera:
    return orbit(count, elevation=0.3, distance=distance, fov_y=0.9, width=size, height=size)


def encode(net: PixelNerfNet, objects: int = 1, views: int = 1, *, size: int = 24, seed: int = 0) -> Encoded:
    images = torch.rand(objects, views, size, size, 3, generator=torch.Generator().manual_seed(seed))
    cameras = cameras_around(objects * views, size)
    with torch.no_grad():
        return net.encode(images, cameras)


def rays_of(camera: Camera, net: PixelNerfNet) -> torch.Tensor:
    """(b, h, w, 8)."""
    return published_rays(camera, net.config.domain.near, net.config.domain.far)


def points_in_view(count: int, *, objects: int = 1, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(objects, count, 3, generator=generator) * 0.8 - 0.4
    directions = torch.nn.functional.normalize(torch.randn(objects, count, 3, generator=generator), dim=-1)
    return points, directions


def side_by_side(samples):
    """Colours and density in one tensor."""
    return torch.cat((samples.values, samples.geometry[..., None]), dim=-1)
