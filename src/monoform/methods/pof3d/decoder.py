"""From the planes' features of a point to its density and color (EG3D, section 4.1)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...nn.field import Field, FieldSamples
from ...nn.plane_decoder import PlaneDecoder, decoded, wide_sigmoid
from ...nn.triplane import AXES, PlaneAxes, PlaneTable, sample_planes


class Decoder(PlaneDecoder):
    """One hidden layer; the first number that comes out is the raw density, the others are colors.

    Args:
        features: of the planes, and as many colors.
        width: of the hidden layer.
        rate: of learning.
    """

    def __init__(self, features: int = 32, width: int = 64, rate: float = 1.0) -> None:
        super().__init__(features, width, features, rate)

    def forward(self, features: Float[Tensor, "*n c"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n c"]]:
        """Raw density, and colors within (-0.001, 1.001) of which the first three are sRGB."""
        density, numbers = super().forward(features)
        return density, wide_sigmoid(numbers)


def axes_of(repeated: bool) -> PlaneAxes:
    """Those of new planes, or those that `Compat.repeated_axes` keeps."""
    return AXES["legacy" if repeated else "fixed"]


class PlanesQuery:
    """Raw density and colors at points of n boxes; differentiable in the planes and in the points.

    Args:
        planes: of each box.
        decoder: of their features.
        box: side of the boxes around the origin, world units.
        axes: of the planes.
    """

    def __init__(self, planes: Float[Tensor, "n 3 c h w"], decoder: Decoder, box: float, axes: PlaneAxes) -> None:
        self.planes, self.decoder, self.box, self.axes = planes, decoder, box, axes
        self._table: PlaneTable | None = None

    def features(self, points: Float[Tensor, "n p 3"]) -> Float[Tensor, "n p c"]:
        """Means over the planes."""
        if torch.is_grad_enabled():
            return sample_planes(self.planes, points * (2 / self.box), self.axes)
        if self._table is None:
            self._table = PlaneTable(self.planes)
        return self._table.sample(points * (2 / self.box), self.axes)

    def __call__(
        self, points: Float[Tensor, "n p 3"], directions: Float[Tensor, "n p 3"] | None = None
    ) -> FieldSamples:
        return FieldSamples(*decoded(self.decoder, self.features, points))


class PlanesField(Field):
    """The object of one latent: density per world unit, sRGB, and the further colors that super-resolution sees.

    Args:
        planes: of the object.
        decoder: of their features.
        box: side of the cube around the origin that holds the object, world units.
        axes: of the planes.
    """

    kind: Literal["density"] = "density"

    def __init__(self, planes: Float[Tensor, "3 c h w"], decoder: Decoder, box: float, axes: PlaneAxes) -> None:
        self.box = box
        self._query = PlanesQuery(planes[None], decoder, box, axes)

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The cube."""
        half = torch.full((3,), self.box / 2, device=self._query.planes.device)
        return torch.stack((-half, half))

    def raw(self, points: Float[Tensor, "*n 3"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n c"]]:
        """Raw density and colors; the density is softplus(raw - 1)."""
        found = self._query(points.reshape(1, -1, 3))
        return found.geometry.reshape(points.shape[:-1]), found.values.reshape(*points.shape[:-1], -1)

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Density and colors; these do not depend on the direction."""
        density, colors = self.raw(points)
        colors = torch.cat((colors[..., :3].clamp(0.0, 1.0), colors[..., 3:]), dim=-1)
        return FieldSamples(nn.functional.softplus(density - 1), colors)
