"""Samples along rays in equal steps, only where an occupancy grid is not empty (Instant NGP, appendix E.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .occupancy import OccupancyGrid
from .packed import PackedSamples

MISS = torch.finfo(torch.float32).max


@dataclass(frozen=True, eq=False)
class MarchOptions:
    """Steps along rays.

    Attributes:
        steps: that cross the cube of side 2; also the most samples of a ray.
        growth: of the step with the distance from the origin of the ray; 0 for equal steps.
        nearest: least distance at which rays begin.
    """

    steps: int = 512
    growth: float = 0.0
    nearest: float = 0.2

    @property
    def shortest(self) -> float:
        """Step in world units."""
        return 2.0 * math.sqrt(3.0) / self.steps

    def longest(self, grid: OccupancyGrid) -> float:
        """Step, in world units, that none exceeds: a cell of the largest cube."""
        return 2.0 * math.sqrt(3.0) * 2.0 ** (grid.cascades - 1) / grid.cells

    def step(self, distance: Tensor, grid: OccupancyGrid) -> Tensor:
        """Step at a distance along the ray."""
        if self.growth == 0.0:
            return torch.full_like(distance, min(self.shortest, self.longest(grid)))
        return (distance * self.growth).clamp(self.shortest, self.longest(grid))


@dataclass(frozen=True, eq=False)
class MarchSamples(PackedSamples):
    """Samples in steps along r rays, one ray after the other.

    Attributes:
        length: of the step that the sample stands for.
        gap: from the end of the sample before (of the ray's beginning) to the end of this one.
    """

    length: Float[Tensor, " m"]
    gap: Float[Tensor, " m"]


def box_limits(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    bounds: Float[Tensor, "2 3"],
    nearest: float = 0.2,
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Where rays enter a box, but not before `nearest`, and leave it; the largest float32, twice, for a miss.

    A box behind a ray is left before it is entered.
    """
    crossings = (bounds.to(origins)[:, None] - origins) / directions
    low, high = crossings.amin(dim=0), crossings.amax(dim=0)
    enter, leave = low.amax(dim=-1), high.amin(dim=-1)
    miss = ~(enter <= leave)
    enter, leave = enter.masked_fill(miss, MISS), leave.masked_fill(miss, MISS)
    return enter.clamp_min(nearest), leave


def sphere_coordinates(
    origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], radius: float
) -> Float[Tensor, "r 2"]:
    """Where rays leave a sphere around the origin: (2 theta / pi - 1, phi / pi), theta from +y, phi = atan2(z, x)."""
    a, b = directions.square().sum(dim=-1), (origins * directions).sum(dim=-1)
    c = origins.square().sum(dim=-1) - radius**2
    distance = (-b + (b * b - a * c).sqrt()) / a
    x, y, z = (origins + distance[:, None] * directions).unbind(dim=-1)
    theta, phi = torch.atan2((x * x + z * z).sqrt(), y), torch.atan2(z, x)
    return torch.stack((2.0 * theta / math.pi - 1.0, phi / math.pi), dim=-1)


@torch.no_grad()
def march(
    grid: OccupancyGrid,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    near: Float[Tensor, " r"],
    far: Float[Tensor, " r"],
    options: MarchOptions | None = None,
    *,
    noise: Float[Tensor, " r"] | None = None,
    most: int | None = None,
) -> MarchSamples:
    """All samples of rays of unit direction between near and far whose cells are occupied.

    A ray's steps follow each other from near on, whatever lies there: emptiness leaves steps out and moves none.

    Args:
        noise: 0..1, by how much of its first step each ray begins later; None for not at all.
        most: samples of a ray; None for `options.steps`.
    """
    options = options or MarchOptions()
    begin = near if noise is None else near + options.step(near, grid) * noise
    distances = _lattice(grid, begin, far, options)
    lengths = options.step(distances, grid)
    inside = distances < far[:, None]
    rays, samples = inside.nonzero(as_tuple=True)
    chosen = distances[rays, samples]
    points = (origins[rays] + chosen[:, None] * directions[rays]).clamp(-grid.bound, grid.bound)
    kept = grid.occupied[grid.rows(points, lengths[rays, samples]).long()]
    rays, samples = rays[kept], samples[kept]
    counts = torch.bincount(rays, minlength=len(origins))
    first = counts.cumsum(dim=0) - counts
    limit = options.steps if most is None else most
    if int(counts.amax() if len(counts) else 0) > limit:
        within = torch.arange(len(rays), device=rays.device) - first[rays] < limit
        rays, samples = rays[within], samples[within]
        counts = counts.clamp_max(limit)
        first = counts.cumsum(dim=0) - counts
    distance, length = distances[rays, samples], lengths[rays, samples]
    ends = distance + length
    before = torch.cat((ends[:1], ends[:-1]))
    starts = first[counts > 0]
    before[starts] = begin[rays[starts]]
    return MarchSamples(rays, counts, distance, length, ends - before)


def _lattice(grid: OccupancyGrid, begin: Tensor, far: Tensor, options: MarchOptions) -> Float[Tensor, "r k"]:
    """Where the steps of each ray begin, added up one after the other as the published kernels do."""
    columns, place = [], begin
    while bool((place < far).any()):
        columns.append(place)
        place = place + options.step(place, grid)
    return torch.stack(columns, dim=1) if columns else begin.new_zeros(len(begin), 0)
