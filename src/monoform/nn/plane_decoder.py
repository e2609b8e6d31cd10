"""From the features of three planes at a point to its numbers (EG3D, Chan et al. 2022, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .stylegan2 import EqualizedLinear

WIDE = 1.002
"""Colors reach a little beyond 0..1, so that a sigmoid reaches both."""
PIECE = 32768
"""Points that are decoded at once where no gradients are asked for."""


class PlaneDecoder(nn.Module):
    """One hidden layer; the first number that comes out is the geometry, the others are values.

    Args:
        features: of the planes.
        width: of the hidden layer.
        values: how many come out beside the geometry.
        rate: of learning.
    """

    def __init__(self, features: int, width: int, values: int, rate: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            EqualizedLinear(features, width, lr_multiplier=rate),
            nn.Softplus(),
            EqualizedLinear(width, 1 + values, lr_multiplier=rate),
        )

    def forward(self, features: Float[Tensor, "*n c"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n v"]]:
        """Geometry and values, unbounded."""
        numbers = self.net(features)
        return numbers[..., 0], numbers[..., 1:]


def wide_sigmoid(numbers: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Colors within (-0.001, 1.001)."""
    return torch.sigmoid(numbers) * WIDE - (WIDE - 1) / 2


def decoded(
    decoder: nn.Module, features: Callable[[Tensor], Tensor], points: Float[Tensor, "n p 3"]
) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n p v"]]:
    """Geometry and values at points.

    Args:
        decoder: a `PlaneDecoder`.
        features: gives those of points.
        points: where.
    """
    if torch.is_grad_enabled():
        geometry, values = decoder(features(points))
        return geometry, values
    # Pieces whose hidden layer does not have to be made anew in memory take less time.
    parts = [decoder(features(part)) for part in points.split(PIECE, dim=1)]
    geometry, values = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))
    return geometry, values
