"""Many views of one object: its planes are made once, and are looked up only where there is something."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d, pad

from ...nn.field import FieldSamples
from ...render import RaySampleNoise
from ...render.sampling import coarse_distances
from .config import Compat, Rays
from .decoder import PlanesQuery
from .rendering import Seen, limits, sampling_of, see

CELLS = 64
LOST = 1e-3
"""Of its light, what a ray loses at most in the space that is taken for empty."""
EMPTY = -30.0
"""Raw density of it."""


class OccupiedSpace:
    """The quick twin of `see` for one object, without gradients.

    A cell is empty where nothing within reach is denser than a ray could miss: in its middle, and in the middles of all
    cells that lie no further than the next sample of a ray. Outside of the box all places hold the same, which is empty
    or is not.

    Args:
        query: of one box.
        rays: how it is seen.
        cells: along a side of the box.
    """

    def __init__(self, query: PlanesQuery, rays: Rays, *, cells: int = CELLS) -> None:
        self.query, self.rays, self.cells = query, rays, cells
        self.occupied = self._occupied()

    @torch.no_grad()
    def see(
        self,
        origins: Float[Tensor, "1 r 3"],
        directions: Float[Tensor, "1 r 3"],
        noise: RaySampleNoise,
        compat: Compat,
    ) -> Seen:
        """What rays see: the same as `see`, but that rays which meet nothing are not rendered."""
        near, far = limits(origins, directions, self.rays, compat)
        noise = noise.to(origins)
        distances = coarse_distances(near, far, noise.strata, sampling_of(self.rays))
        points = origins[..., None, :] + distances[..., None] * directions[..., None, :]
        meets = self.holds(points).any(dim=-1)[0]
        meets[0] |= ~meets.any()  # one ray at least
        places = noise.reshape(len(meets))[meets].reshape(1, int(meets.sum()))
        found = see(self._samples, origins[:, meets], directions[:, meets], places, self.rays, compat)

        def spread(values: Tensor, elsewhere: Tensor) -> Tensor:
            return elsewhere.index_copy(1, meets.nonzero()[:, 0], values)

        one = torch.ones_like(distances[..., 0])
        behind = (2.0 * self.rays.white - 1.0) * one[..., None].expand(-1, -1, found.colors.shape[-1])
        last = distances[..., -1]
        return Seen(
            spread(found.colors, behind),
            spread(found.depth, last.amax() * one if compat.batch_depth else last),
            spread(found.alpha, 0 * one),
            spread(found.passed, one),
            found.samples,
        )

    def holds(self, points: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Whether points are in cells that are not empty."""
        # One more cell on every side is all that is outside.
        cell = (points * (self.cells / self.rays.box) + (self.cells / 2 + 1)).clamp(0, self.cells + 1).int()
        x, y, z = cell.unbind(dim=-1)
        return self.occupied[(x * (self.cells + 2) + y) * (self.cells + 2) + z]

    @torch.no_grad()
    def _occupied(self) -> Bool[Tensor, " cells"]:
        """Cells, z fastest, that are looked up, and one more on every side."""
        rays, size, device = self.rays, self.rays.box / self.cells, self.query.planes.device
        near, far = (0.0, math.sqrt(3) * rays.box) if rays.near is None or rays.far is None else (rays.near, rays.far)
        axis = (torch.arange(self.cells, device=device) + 0.5) * size - rays.box / 2
        middles = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 3)
        density = self.query(middles).geometry.reshape(1, 1, *(self.cells,) * 3)
        reach = 1 + math.ceil((far - near) / (rays.coarse - 1) / size)
        if rays.disparity or reach >= self.cells // 2:  # the next sample may be anywhere
            densest = density.amax().expand_as(density)
        else:
            densest = max_pool3d(density, 2 * reach + 1, stride=1, padding=reach)
        beyond = float(self.query(torch.full((1, 1, 3), 2 * rays.box).to(middles)).geometry)
        return pad(densest, (1,) * 6, value=beyond).flatten() > raw_density(LOST / (far - near))

    def _samples(
        self, points: Float[Tensor, "1 p 3"], directions: Float[Tensor, "1 p 3"] | None = None
    ) -> FieldSamples:
        """Raw density and colors, of what is not empty."""
        chosen = self.holds(points)[0].nonzero()[:, 0]
        found = self.query(points[:, chosen])
        density = points.new_full(points.shape[:2], EMPTY).index_copy_(1, chosen, found.geometry)
        colors = points.new_zeros(*points.shape[:2], found.values.shape[-1]).index_copy_(1, chosen, found.values)
        return FieldSamples(density, colors)


def raw_density(density: float) -> float:
    """The number that softplus, one to the left, makes this density."""
    return math.log(math.expm1(density)) + 1 if density < 30 else density + 1
