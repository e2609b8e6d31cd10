"""TripoSR's answer as a field in the world, of one photo or of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.field import Field, FieldSamples
from ...render.ray_renderer import RayColors
from .planes import PlaneVolume
from .rendering import render

DARK = 1e-20  # least density whose logarithm is taken


@dataclass(frozen=True, eq=False)
class PlacedVolume:
    """A photo's volume in the world: world = scale rotation (network - center).

    Attributes:
        volume: in the network's cube.
        rotation: of the network's axes.
        scale: units of the world per unit of the network's.
        center: in the network's cube, of what becomes the origin.
    """

    volume: PlaneVolume
    rotation: Float[Tensor, "3 3"]
    scale: float
    center: Float[Tensor, " 3"]

    def inside(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points of the world in the network's cube."""
        return points @ self.rotation.to(points) / self.scale + self.center.to(points)

    @property
    def way(self) -> float:
        """Straight through the cube, in the world's units: over which a published density counts."""
        return 1.0 if self.volume.rendering.metric else 2 * self.volume.rendering.radius * self.scale


@dataclass(frozen=True, eq=False, repr=False)
class TripoSrField(Field):
    """Densities and colors; those of several photos are averaged, densities by their logarithms.

    Attributes:
        parts: of each photo.
        limits: lower and upper corner of the object in the world, with a margin.
        level: density per world unit at which the surface lies.
        smooth: whether densities about this level are given as they grow by their logarithm, which is as straight
            between the nodes of a grid as the planes are: the surface is the same, found there without terraces.
    """

    kind: ClassVar[Literal["density"]] = "density"

    parts: tuple[PlacedVolume, ...]
    limits: Float[Tensor, "2 3"]
    level: float
    smooth: bool = True

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """A box around the object."""
        return self.limits

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Density per world unit, and sRGB, the same from all directions."""
        del directions
        flat = points.reshape(-1, 3)
        answers = [each.volume.query(each.inside(flat)) for each in self.parts]
        values = torch.stack([color for _, color in answers]).mean(dim=0)
        density = self._averaged([found / each.way for (found, _), each in zip(answers, self.parts, strict=True)])
        return FieldSamples(self._near(density).reshape(points.shape[:-1]), values.reshape(points.shape))

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Density per world unit alone, which takes less than `query`."""
        flat = points.reshape(-1, 3)
        density = self._averaged([each.volume.density(each.inside(flat)) / each.way for each in self.parts])
        return self._near(density).reshape(points.shape[:-1])

    def _averaged(self, densities: list[Float[Tensor, " n"]]) -> Float[Tensor, " n"]:
        if len(densities) == 1:
            return densities[0]
        return torch.stack([each.clamp_min(DARK).log() for each in densities]).mean(dim=0).exp()

    def _near(self, density: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        if not self.smooth:
            return density
        return (self.level * (1 + (density.clamp_min(DARK) / self.level).log())).clamp_min(0.0)


@dataclass(frozen=True, eq=False)
class TripoSrRays:
    """What rays of the world see of one photo's volume, with the release's quadrature.

    Attributes:
        placed: the volume.
    """

    placed: PlacedVolume
    background: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 1.0)

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        """Differentiable in the rays; the same at every call without a generator."""
        placed = self.placed
        ahead = directions @ placed.rotation.to(directions)
        seen, hit = render(
            placed.volume.query, placed.inside(origins), ahead, placed.volume.rendering, generator=generator
        )
        rgb, alpha = torch.ones_like(origins), torch.zeros_like(origins[:, 0])
        distance = torch.zeros_like(alpha)
        rgb[hit], alpha[hit], distance[hit] = seen.rgb, seen.alpha, seen.distance.detach() * placed.scale
        return RayColors(rgb, alpha, distance)
