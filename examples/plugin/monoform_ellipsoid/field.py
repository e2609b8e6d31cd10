"""The shape: a solid that answers how far a point is from its surface, and of which color it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monoform.nn import Field

REACH = 0.45  # the largest radius: objects live in the sphere of radius 0.5


@dataclass(frozen=True, eq=False)
class EllipsoidField(Field):
    """An ellipsoid around the origin of the world.

    Attributes:
        radii: along x, y (up) and z, in world units.
        color: sRGB 0..1.
    """

    radii: Float[Tensor, " 3"]
    color: Float[Tensor, " 3"]

    kind: ClassVar[Literal["sdf"]] = "sdf"
    representative_direction: ClassVar[None] = None

    @classmethod
    def of_shares(cls, shares: Float[Tensor, " 3"], color: Float[Tensor, " 3"]) -> EllipsoidField:
        """The ellipsoid whose radii are to each other as these numbers, the largest REACH."""
        return cls(shares * (REACH / shares.max()), color)

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box in which it lies."""
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """At most the distance, negative inside: no steeper than a distance, and 0 where it is."""
        return self.radii.min() * ((points / self.radii).norm(dim=-1) - 1)

    def values(
        self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None
    ) -> Float[Tensor, "*n 3"]:
        """One color everywhere."""
        del directions
        return self.color.expand_as(points)
