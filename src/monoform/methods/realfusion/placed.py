"""A fitted field in the world: in the cube of half side 0.5 around the origin, and never mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...memory import Portions
from ...nn.field import Field, FieldSamples
from ...render.ray_renderer import RayColors
from .model import RealFusionField
from .rendering import Look, render_chunks

HALF = 0.5  # of the box's side, in the world


class PlacedField(Field):
    """Density and albedo of a fitted field.

    Args:
        net: the field.
    """

    kind: Literal["density", "sdf"] = "density"

    def __init__(self, net: RealFusionField) -> None:
        self.net, self.portions = net, Portions("points of a mesh", smallest=1024)
        self.scale = HALF / net.config.bound  # world units of a unit of the box

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box."""
        return self.net.encoder.embeddings.new_tensor([[-HALF] * 3, [HALF] * 3])

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Density per world unit, 0 outside the box, and sRGB 0..1 from any side."""
        del directions
        inner = self.inner(points).reshape(-1, 3)
        inside = (inner.abs() <= self.net.config.bound).all(dim=-1)
        found = self.portions.map(lambda part: self.net.query(inner[part]), len(inner))
        density, albedo = (torch.cat(parts) for parts in zip(*found, strict=True))
        shape = points.shape[:-1]
        return FieldSamples((density * inside / self.scale).reshape(shape), albedo.reshape(*shape, 3))

    def inner(self, vectors: Float[Tensor, "*n 3"], *, scaled: bool = True) -> Float[Tensor, "*n 3"]:
        """World points, or directions, in the box."""
        flip = vectors.new_tensor([-1.0 if self.net.config.mirrored else 1.0, 1.0, 1.0])
        return vectors * flip / (self.scale if scaled else 1.0)


@dataclass(frozen=True, eq=False)
class PlacedRays:
    """A `RayRenderer` of a fitted field, over white.

    Attributes:
        field: in the world.
    """

    field: PlacedField
    background: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 1.0)

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        del generator
        field = self.field
        if not len(origins):
            return RayColors(origins, origins[:, 0], origins[:, 0])
        rays = field.inner(origins), field.inner(directions, scaled=False)
        seen = render_chunks(field.net, *rays, Look(background=1.0))
        distance = field.scale * seen.distance / seen.alpha.detach().clamp_min(1e-10)
        return RayColors(seen.image, seen.alpha, distance)
