"""Fields with known answers: what tests compare with and what examples show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .field import Field

Vector3 = tuple[float, float, float]


class _Colored(Field):
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
class Sphere(_Colored):
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
        return _box(self.center, (self.radius,) * 3, self.margin)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return (points - points.new_tensor(self.center)).norm(dim=-1) - self.radius


@dataclass(frozen=True)
class Box(_Colored):
    """The exact signed distance of an axis-aligned box with the given half sizes in world units.

    Attributes:
        half_sizes: in world units.
        center: in the world.
        rgb: the one color; None colors a point by its position in `bounds`.
        margin: width of the empty border that `bounds` leaves around the box.
    """

    half_sizes: Vector3 = (0.3, 0.2, 0.25)
    center: Vector3 = (0.0, 0.0, 0.0)
    rgb: Vector3 | None = None
    margin: float = 0.05

    kind: ClassVar[Literal["sdf"]] = "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        return _box(self.center, self.half_sizes, self.margin)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        excess = (points - points.new_tensor(self.center)).abs() - points.new_tensor(self.half_sizes)
        outside = excess.clamp_min(0.0).square().sum(dim=-1)
        inside = excess.amax(dim=-1).clamp_max(0.0)
        # The square root has no slope at 0, where a point is inside and `inside` alone counts.
        distance = torch.where(outside > 0, outside, torch.ones_like(outside)).sqrt()
        return torch.where(outside > 0, distance, torch.zeros_like(outside)) + inside


@dataclass(frozen=True)
class Torus(_Colored):
    """The exact signed distance of a ring around +y: a shape with one hole.

    Attributes:
        major_radius: of the ring, in world units.
        minor_radius: of the tube, in world units.
        rgb: the one color; None colors a point by its position in `bounds`.
        margin: width of the empty border that `bounds` leaves around the ring.
    """

    major_radius: float = 0.3
    minor_radius: float = 0.1
    rgb: Vector3 | None = None
    margin: float = 0.05

    kind: ClassVar[Literal["sdf"]] = "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        reach = self.major_radius + self.minor_radius
        return _box((0.0, 0.0, 0.0), (reach, self.minor_radius, reach), self.margin)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        from_ring = points[:, [0, 2]].norm(dim=-1) - self.major_radius
        return torch.hypot(from_ring, points[:, 1]) - self.minor_radius


@dataclass(frozen=True)
class Fog(_Colored):
    """A ball of constant density: rays through it have a closed-form answer.

    Args:
        radius: in world units.
        density: per world unit, inside the ball; 0 outside.
    """

    radius: float = 0.4
    density: float = 5.0
    rgb: Vector3 | None = None
    margin: float = 0.05

    kind: ClassVar[Literal["density"]] = "density"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        return _box((0.0, 0.0, 0.0), (self.radius,) * 3, self.margin)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.density * (points.norm(dim=-1) <= self.radius).to(points)


def _box(center: Vector3, half_sizes: Vector3, margin: float) -> Float[Tensor, "2 3"]:
    middle, half = torch.tensor(center), torch.tensor(half_sizes) + margin
    return torch.stack((middle - half, middle + half))
