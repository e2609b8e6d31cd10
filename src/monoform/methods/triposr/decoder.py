"""From the features of the planes at a point to its density and color."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from ...nn.exponential import limited_exponential
from .config import Decoder, DensityActivation, Rendering

LIMIT = 15.0  # of the logarithm of a density, beyond which its gradient does not grow
OUTPUTS = 4  # density, and three of color
KNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "softplus": softplus,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


class PointDecoder(nn.Module):
    """Linear layers with an activation between them; density and color come out as they are."""

    def __init__(self, features: int, config: Decoder) -> None:
        super().__init__()
        widths = [features, *(config.layers * [config.width])]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            activation = nn.SiLU() if config.activation == "silu" else nn.ReLU()
            layers += [nn.Linear(before, after, bias=config.bias), activation]
        self.layers = nn.Sequential(*layers, nn.Linear(config.width, OUTPUTS, bias=config.bias))

    def forward(self, features: Float[Tensor, "*n f"]) -> Float[Tensor, "*n 4"]:
        """Density, then the three of color."""
        return self.layers(features)


def activated_density(raw: Float[Tensor, "*n"], rendering: Rendering) -> Float[Tensor, "*n"]:
    """The density of the decoder's first number."""
    return _activated(raw + rendering.density_bias, rendering.density_activation)


def _activated(x: Float[Tensor, "*n"], name: DensityActivation) -> Float[Tensor, "*n"]:
    if name == "trunc_exp":
        return limited_exponential(x, LIMIT)
    if name == "none":
        return x
    return KNOWN[name](x)
