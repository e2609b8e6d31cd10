"""A field with a known answer: a ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .field import Field

Vector3 = tuple[float, float, float]


class Colored(Field):
    """A field of one color, or colored by the position in `bounds` where it has none."""

    rgb: Vector3 | None

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """sRGB 0..1."""
        if self.rgb is not None:
            return points.new_tensor(self.rgb).expand_as(points)
        lower, upper = self.bounds.to(points)
        return ((points - lower) / (upper - lower)).clamp(0.0, 1.0)


@dataclass(frozen=True)
class Sphere(Colored):
    """The signed distance of a ball, coloured by position or plainly.

    Args:
        radius: in world units.
        center: in the world.
        rgb: the one colour; None colours a point by its place in `bounds`.
        margin: width of the empty border that `bounds` leaves around the ball.
    """

    radius: float = 0.4
    center: Vector3 = (0.0, 0.0, 0.0)
    rgb: Vector3 | None = None
    margin: float = 0.05

    kind: ClassVar[Literal["sdf"]] = "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        return box_around(self.center, (self.radius,) * 3, self.margin)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return (points - points.new_tensor(self.center)).norm(dim=-1) - self.radius


def box_around(center: Vector3, half_sizes: Vector3, margin: float) -> Float[Tensor, "2 3"]:
    """Lower and upper corner of a box with a margin."""
    middle, half = torch.tensor(center), torch.tensor(half_sizes) + margin
    return torch.stack((middle - half, middle + half))
