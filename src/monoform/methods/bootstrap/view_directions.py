"""Weights of the palette that depend on the direction a point is seen from (reflections on cars)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ...nn.stylegan2 import EqualizedLinear
from .residual import EPSILON, ResidualPairs, lrelu


class ViewMapper(ResidualPairs):
    """From a direction and the features of points to numbers that colors are made of.

    Args:
        features: of a point.
        colors: how many numbers come out.
        width: of the layers.
    """

    def __init__(self, features: int, colors: int, width: int = 64) -> None:
        super().__init__(width, lambda channels: nn.LayerNorm(channels, eps=EPSILON))
        self.fc0 = EqualizedLinear(3, width)
        self.fc6 = EqualizedLinear(width, features)
        self.output = EqualizedLinear(features, colors)
        nn.init.zeros_(self.output.weight)

    def seen_from(self, directions: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n c"]:
        """What is added to the features of the points that are seen along unit directions."""
        found: Tensor = self.fc6(self.pairs(lrelu(self.fc0(directions))))
        return found

    def forward(self, added: Float[Tensor, "*#n c"], features: Float[Tensor, "*#n c"]) -> Float[Tensor, "*n k"]:
        """Numbers of points.

        Args:
            added: what `seen_from` gives.
            features: of the points.
        """
        found: Tensor = self.output(lrelu(added + features))
        return found
