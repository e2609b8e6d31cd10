"""What a generator's planes hold at points: distance or raw density, opacity, palette weights, colors, normals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize, softplus

from ...nn.field import Field, FieldSamples
from ...nn.plane_decoder import PlaneDecoder, decoded
from ...nn.triplane import AXES, PlaneTable, sample_planes
from ...render.compositing import laplace_density
from .palette import as_color
from .view_directions import ViewMapper

SORTED = AXES["sorted"]


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a generator that tell what is at a point.

    Attributes:
        decoder: of the planes' features.
        half_side: of the cube around the origin, world units.
        beta: softness of the surface, world units; None where the geometry is a density.
        alpha: 1 over the density inside, world units.
        views: tells weights of the palette by the direction; None where they do not depend on it.
    """

    decoder: PlaneDecoder
    half_side: float
    beta: Tensor | None = None
    alpha: Tensor | None = None
    views: ViewMapper | None = None

    def inside(self, points: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Whether points lie in the cube."""
        return ((points / self.half_side).abs() <= 1).all(dim=-1)

    def density(self, geometry: Float[Tensor, "*n"], points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Density per world unit; 0 outside the cube."""
        found = softplus(geometry - 1) if self.beta is None else laplace_density(geometry, self.beta, self.alpha)
        return found * self.inside(points)


@dataclass(frozen=True, eq=False)
class PointSamples:
    """What n objects hold at points.

    Attributes:
        geometry: signed distance, world units, negative inside; or raw density.
        density: per world unit, 0 outside the cube.
        rgb: -1..1.
        palette_weights: of the palette's colors, which sum to 1; None where there is no palette.
        normals: unit, outwards; None where they were not asked for.
    """

    geometry: Float[Tensor, "n p"]
    density: Float[Tensor, "n p"]
    rgb: Float[Tensor, "n p 3"]
    palette_weights: Float[Tensor, "n p k"] | None
    normals: Float[Tensor, "n p 3"] | None


class Objects:
    """Objects of planes and palettes; differentiable in these, in the generator's parts and in the points.

    Args:
        parts: of the generator.
        planes: of each object.
        palette: its colors, -1..1; None where there is no palette.
    """

    def __init__(
        self, parts: Parts, planes: Float[Tensor, "n 3 c h w"], palette: Float[Tensor, "n k 3"] | None
    ) -> None:
        self.parts, self.planes, self.palette = parts, planes, palette

    @cached_property
    def _table(self) -> PlaneTable:
        return PlaneTable(self.planes.detach(), "border")

    def geometry(
        self, points: Float[Tensor, "n p 3"], *, twice: bool = False
    ) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n p v"]]:
        """Distance or raw density of points in the world, and the decoder's further numbers.

        Args:
            twice: in operations that can be differentiated twice.
        """

        def features(at: Tensor) -> Tensor:
            places = at / self.parts.half_side
            if torch.is_grad_enabled():
                return sample_planes(self.planes, places, SORTED, padding="border", align_corners=True, twice=twice)
            return self._table.sample(places, SORTED, align_corners=True)

        return decoded(self.parts.decoder, features, points)

    def __getitem__(self, image: int) -> Objects:
        """One of them."""
        row = slice(image, image + 1)
        return Objects(self.parts, self.planes[row], None if self.palette is None else self.palette[row])

    def normals(self, points: Float[Tensor, "n p 3"]) -> Float[Tensor, "n p 3"]:
        """Unit normals of the surfaces through points, outwards; without gradient."""
        with torch.enable_grad():
            at = points.detach().requires_grad_()
            geometry, _ = self.geometry(at)
            slope = torch.autograd.grad(geometry.sum(), at)[0]
        return normalize(slope if self.parts.beta is not None else -slope, dim=-1)

    def seen_from(self, directions: Float[Tensor, "*n 3"] | None) -> Float[Tensor, "*n c"] | None:
        """What the parts that depend on the direction add to the features of points: once for each ray."""
        if self.parts.views is None:
            return None
        assert directions is not None, "this generator's colors depend on the direction"
        return self.parts.views.seen_from(directions)

    def sample(
        self, points: Float[Tensor, "n p 3"], seen_from: Float[Tensor, "n p c"] | None = None, *, normals: bool = False
    ) -> PointSamples:
        """All that is at points.

        Args:
            points: in the world.
            seen_from: of each point, see `seen_from`.
            normals: whether these are asked for.
        """
        geometry, numbers = self.geometry(points)
        if self.parts.views is not None:
            assert seen_from is not None, "this generator's colors depend on the direction"
            numbers = self.parts.views(seen_from, numbers)
        weights = None
        if self.palette is None:
            rgb = as_color(numbers)
        else:
            weights = numbers.softmax(dim=-1)
            rgb = weights @ self.palette
        density = self.parts.density(geometry, points)
        return PointSamples(geometry, density, rgb, weights, self.normals(points) if normals else None)


class BootstrapField(Field):
    """One object, to be meshed and looked at: signed distance or density, and sRGB.

    Args:
        objects: a batch of one.
        representative: unit direction that colors are told from, where they depend on it.
    """

    def __init__(self, objects: Objects, representative: tuple[float, float, float] = (0.0, 0.0, -1.0)) -> None:
        self.objects, self._representative = objects, representative

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """Of the generator."""
        return "density" if self.objects.parts.beta is None else "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The cube."""
        half = torch.full((3,), self.objects.parts.half_side, device=self.objects.planes.device)
        return torch.stack((-half, half))

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """Where colors depend on it."""
        return None if self.objects.parts.views is None else torch.tensor(self._representative)

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Geometry, and sRGB 0..1."""
        flat = points.reshape(1, -1, 3)
        if directions is None and self.objects.parts.views is not None:
            directions = points.new_tensor(self._representative).expand_as(points)
        along = None if directions is None else directions.expand_as(points).reshape(1, -1, 3)
        found = self.objects.sample(flat, self.objects.seen_from(along))
        geometry = found.density if self.objects.parts.beta is None else found.geometry
        rgb = ((found.rgb + 1) / 2).clamp(0.0, 1.0)
        return FieldSamples(geometry.reshape(points.shape[:-1]), rgb.reshape(points.shape))

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance or density alone."""
        flat = points.reshape(1, -1, 3)
        geometry, _ = self.objects.geometry(flat)
        if self.objects.parts.beta is None:
            geometry = self.objects.parts.density(geometry, flat)
        return geometry.reshape(points.shape[:-1])
