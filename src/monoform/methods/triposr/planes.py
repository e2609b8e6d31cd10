"""What the three planes hold at points of the network's cube: plainly, and quickly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, relu_, silu

from ...nn.triplane import AXES, PlaneTable, plane_features
from .config import Rendering
from .decoder import OUTPUTS, PointDecoder, activated_density

Asked = Callable[[Tensor], Tensor]
CHUNK = 8192  # points at a time: their layers stay within the processor's cache


def point_features(
    planes: Float[Tensor, "b 3 f q q"], points: Float[Tensor, "b n 3"], rendering: Rendering
) -> Float[Tensor, "b n d"]:
    """The decoder's input: bilinear samples of the planes xy, xz and yz, beside each other or averaged.

    Half a pixel within the cube's faces they begin to fade to zero, which is what lies beyond.

    Args:
        points: in the network's units, anywhere.
    """
    found = plane_features(planes, points / rendering.radius, AXES["sorted"])
    return found.mean(dim=1) if rendering.reduction == "mean" else found.transpose(1, 2).flatten(2)


class PlaneVolume:
    """Density and color in the cube of one object, every feature looked up and multiplied: the plain way.

    Args:
        planes: of the object.
        decoder: of their features.
        rendering: how the planes are asked.
        chunk: points at a time; 0 for all at once.
    """

    def __init__(
        self, planes: Float[Tensor, "3 f q q"], decoder: PointDecoder, rendering: Rendering, chunk: int = CHUNK
    ) -> None:
        self.planes, self.decoder, self.rendering, self.chunk = planes, decoder, rendering, chunk

    def raw(self, points: Float[Tensor, "n 3"], outputs: int = OUTPUTS) -> Float[Tensor, "n o"]:
        """What the decoder says: density before its activation, then color before the sigmoid.

        Args:
            outputs: how many of these numbers; 1 for the density alone.
        """
        return self._in_chunks(lambda part: self._raw(part)[:, :outputs], points)

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density alone, per way through the cube (per world unit of a metric rendering)."""
        return activated_density(self.raw(points, 1)[:, 0], self.rendering)

    def query(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Density, and color 0..1."""
        raw = self.raw(points)
        return activated_density(raw[:, 0], self.rendering), torch.sigmoid(raw[:, 1:])

    def _raw(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4"]:
        return self.decoder(point_features(self.planes[None], points[None], self.rendering)[0])

    def _in_chunks(self, asked: Asked, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n o"]:
        if not self.chunk or len(points) <= self.chunk:
            return asked(points)
        return torch.cat([asked(part) for part in points.split(self.chunk)])


class FoldedVolume(PlaneVolume):
    """The same up to rounding, quicker: the decoder's first layer is applied to the planes once.

    The layer is linear in the features that stand beside each other, and so is looking them up: its weight falls into a
    part for each plane, and a point looks up as many numbers as the layer is wide. No gradients.
    """

    @torch.no_grad()
    def __init__(
        self, planes: Float[Tensor, "3 f q q"], decoder: PointDecoder, rendering: Rendering, chunk: int = CHUNK
    ) -> None:
        super().__init__(planes, decoder, rendering, chunk)
        layers = [each for each in decoder.layers if isinstance(each, nn.Linear)]
        first, self.later = layers[0], layers[1:]
        self.first_bias, self.is_silu = first.bias, any(isinstance(each, nn.SiLU) for each in decoder.layers)
        if rendering.reduction == "concat":
            parts = 3 * first.weight.unflatten(1, (3, -1))  # looking up takes the mean over the planes
        else:
            parts = first.weight[:, None].expand(-1, 3, -1)
        self.table = PlaneTable(torch.einsum("okf,kfxy->koxy", parts, planes)[None])

    @torch.no_grad()
    def raw(self, points: Float[Tensor, "n 3"], outputs: int = OUTPUTS) -> Float[Tensor, "n o"]:
        """What the decoder says, see `PlaneVolume`."""
        return self._in_chunks(lambda part: self._quick(part, outputs), points)

    def _quick(self, points: Float[Tensor, "n 3"], outputs: int) -> Float[Tensor, "n o"]:
        x = self.table.sample(points[None] / self.rendering.radius, AXES["sorted"])[0]
        if self.first_bias is not None:
            x += self.first_bias
        for layer in self.later[:-1]:
            x = linear(self._activated(x), layer.weight, layer.bias)
        last = self.later[-1]
        bias = None if last.bias is None else last.bias[:outputs]
        return linear(self._activated(x), last.weight[:outputs], bias)

    def _activated(self, x: Float[Tensor, "n h"]) -> Float[Tensor, "n h"]:
        return silu(x, inplace=True) if self.is_silu else relu_(x)
