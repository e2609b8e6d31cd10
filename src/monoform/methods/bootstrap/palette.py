"""The colors of an object, which a style tells (Pavllo et al. 2023, "attention values")."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...nn.plane_decoder import wide_sigmoid
from ...nn.stylegan2 import EqualizedLinear
from .residual import ConditionalNorm, ResidualPairs

VISIBLE = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (1.0, 1.0, 0.0),
    (0.0, 1.0, 1.0),
    (1.0, 0.0, 1.0),
    (0.0, 0.0, 0.0),
    (1.0, 0.5, 0.0),
    (0.75, 1.0, 0.0),
    (0.0, 0.5, 1.0),
)
"""Red, green, blue, yellow, cyan, magenta, black, orange, lime, azure: sRGB 0..1 that show which color a point has."""


class PaletteMapper(ResidualPairs):
    """From a style to a palette, through a learned vector that the style modulates.

    Args:
        w_dim: length of the style, and width of the layers.
        colors: of the palette.
    """

    def __init__(self, w_dim: int, colors: int) -> None:
        super().__init__(w_dim, ConditionalNorm)
        self.const = nn.Parameter(torch.randn(1, w_dim))
        self.fc_values = EqualizedLinear(w_dim, 3 * colors)

    def forward(self, w: Float[Tensor, "n w"]) -> Float[Tensor, "n k 3"]:
        """Colors within -1.002..1.002."""
        numbers = self.fc_values(self.pairs(self.const.expand(len(w), -1), w))
        return as_color(numbers).unflatten(-1, (-1, 3))


def as_color(numbers: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Colors within -1.002..1.002."""
    return 2 * wide_sigmoid(numbers) - 1


def painted(palette_weights: Float[Tensor, "*n k"]) -> Float[Tensor, "*n 3"]:
    """sRGB 0..1 that shows which colors of the palette a point has; these ten colors again after the tenth."""
    count = palette_weights.shape[-1]
    colors = palette_weights.new_tensor([VISIBLE[number % len(VISIBLE)] for number in range(count)])
    return palette_weights @ colors
