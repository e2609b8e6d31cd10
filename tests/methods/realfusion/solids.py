"""A field whose shape and colors are known: a ball at the right of the photo's camera, red in front, blue behind."""

from __future__ import annotations

from dataclasses import replace

import torch
from tests.methods.realfusion.tiny_realfusion import NETWORK
from torch import Tensor

from monoform.methods.realfusion.model import RealFusionField

CENTER, RADIUS = (0.3, 0.1, 0.05), 0.2
SHARP = 40.0  # change of the logarithm of the density on a unit of the box
LEVEL = 10.0  # density at the surface


class Solid(RealFusionField):
    """Density LEVEL exp(SHARP (RADIUS - r)), r from the nearest of the centers; of these the world has the places.

    Attributes:
        balls: center and radius of each.
    """

    balls: tuple[tuple[tuple[float, float, float], float], ...] = ((CENTER, RADIUS),)

    def blob(self, points: Tensor) -> Tensor:
        depths = [
            radius - (self.world(points) - points.new_tensor(center)).norm(dim=-1) for center, radius in self.balls
        ]
        inside = torch.stack([*depths, torch.full_like(points[:, 0], -1.0)]).amax(dim=0)
        return (SHARP * inside + torch.tensor(LEVEL).log()).clamp(-20.0, 8.0)

    def _outputs(self, points: Tensor) -> Tensor:
        front = (points[:, 2] > CENTER[2]).float() * 40.0 - 20.0
        none = torch.zeros_like(front)
        return torch.stack((none, front, none - 20.0, -front), dim=1)

    def world(self, points: Tensor) -> Tensor:
        """Points of the field without its mirror."""
        return points * points.new_tensor([-1.0 if self.config.mirrored else 1.0, 1.0, 1.0])


def solid(
    *, mirrored: bool = False, balls: tuple[tuple[tuple[float, float, float], float], ...] | None = None
) -> Solid:
    """The field in evaluation mode, with its occupied cells."""
    net = Solid(replace(NETWORK, mirrored=mirrored, steps=256, cells=32))
    net.balls = Solid.balls if balls is None else balls
    with torch.no_grad():
        net.occupancy.update(net.density, generator=torch.Generator().manual_seed(0))
    return net.eval().requires_grad_(False)
