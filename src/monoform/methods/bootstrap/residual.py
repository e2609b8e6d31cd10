"""Layers that palettes and view directions are told by: two pairs of layers, each with a way around."""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm, leaky_relu

from ...nn.stylegan2 import EqualizedLinear
from ...nn.stylegan2.activation import SLOPE

EPSILON = 1e-5
HALF = math.sqrt(0.5)


def lrelu(x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    """Leaky ReLU without a gain."""
    return leaky_relu(x, SLOPE)


class ConditionalNorm(nn.Module):
    """Layer normalization whose gain and shift a style tells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc_gamma, self.fc_beta = EqualizedLinear(width, width), EqualizedLinear(width, width)

    def forward(self, x: Float[Tensor, "n c"], w: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        return self.fc_beta(w) + (1 + self.fc_gamma(w)) * layer_norm(x, x.shape[-1:], eps=EPSILON)


class ResidualPairs(nn.Module):
    """Layers fc1 .. fc4 with norms, in two pairs with ways around, and fc5.

    Args:
        width: of all layers.
        norm: makes one.
    """

    def __init__(self, width: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        for number in range(1, 5):
            self.add_module(f"fc{number}", EqualizedLinear(width, width, bias=False))
            self.add_module(f"norm{number}", norm(width))
        self.fc5 = EqualizedLinear(width, width)

    def pairs(self, x: Float[Tensor, "*n c"], *condition: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """What comes behind fc5.

        Args:
            condition: of the norms.
        """
        for first in (1, 3):
            around = x
            for number in (first, first + 1):
                x = self.get_submodule(f"fc{number}")(x)
                x = lrelu(self.get_submodule(f"norm{number}")(x, *condition))
            x = (x + around) * HALF
        return lrelu(self.fc5(x))
