"""Grids that say where a volume is empty, so that rays are sampled only elsewhere (Instant NGP, appendix E.2)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from ..errors import InputError
from .chunks import slices

CELLS = 128
DECAY = 0.95
CHUNK = 1 << 19  # cells whose density is asked for at once


def morton_codes(coordinates: Int[Tensor, "n 3"]) -> Int[Tensor, " n"]:
    """Numbers along the Morton curve of whole coordinates 0..1023; x gives the lowest bit of each three."""
    code = torch.zeros_like(coordinates[:, 0])
    for bit in range(10):
        for axis in range(3):
            code |= ((coordinates[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code


def morton_coordinates(codes: Int[Tensor, " n"]) -> Int[Tensor, "n 3"]:
    """The inverse of `morton_codes`."""
    axes = [torch.zeros_like(codes) for _ in range(3)]
    for bit in range(10):
        for axis in range(3):
            axes[axis] |= ((codes >> (3 * bit + axis)) & 1) << bit
    return torch.stack(axes, dim=-1)


def pack_bits(grid: Float[Tensor, "*c n"], threshold: float) -> UInt8[Tensor, " bytes"]:
    """Bit i of byte k says whether value 8 k + i is above the threshold."""
    above = (grid.flatten() > threshold).reshape(-1, 8).to(torch.uint8)
    shifts = torch.arange(8, dtype=torch.uint8, device=grid.device)
    return (above << shifts).sum(dim=1).to(torch.uint8)


def unpack_bits(packed: UInt8[Tensor, " bytes"]) -> Bool[Tensor, " n"]:
    """The inverse of `pack_bits`."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed[:, None] >> shifts) & 1).bool().flatten()


class OccupancyGrid(nn.Module):
    """Decaying maxima of a density in nested cubes of cells, and which cells are worth a sample.

    Cube k reaches to min(2^k, bound) along each axis and has `cells` cells there. The buffers are those of published
    checkpoints: densities in Morton order, and one bit for each cell.

    Args:
        bound: half the side of the box around the origin, in world units.
        cells: along an axis of each cube; a power of two up to 1024.
        density_threshold: a cell is occupied when its density is above the mean of all, or above this where that is
            less.
    """

    density_grid: Tensor
    density_bitfield: Tensor
    occupied: Tensor
    order: Tensor

    def __init__(self, bound: float = 1.0, *, cells: int = CELLS, density_threshold: float = 10.0) -> None:
        super().__init__()
        if not bound > 0 or cells & (cells - 1) or not 4 <= cells <= 1024:
            raise InputError(f"An occupancy grid of bound {bound} and {cells} cells; give a positive one, 4..1024.")
        self.bound, self.cells, self.density_threshold = bound, cells, density_threshold
        self.cascades = 1 + max(0, math.ceil(math.log2(bound)))
        count = cells**3
        self.register_buffer("density_grid", torch.zeros(self.cascades, count))
        self.register_buffer("density_bitfield", torch.zeros(self.cascades * count // 8, dtype=torch.uint8))
        self.register_buffer("occupied", torch.zeros(self.cascades * count, dtype=torch.bool), persistent=False)
        # Number along the Morton curve of each cell counted as (x cells + y) cells + z.
        axis = torch.arange(cells)
        order = morton_codes(torch.cartesian_prod(axis, axis, axis))
        self.register_buffer("order", order, persistent=False)

    @property
    def mean_density(self) -> float:
        """Mean density of all cells."""
        return float(self.density_grid.clamp_min(0).mean())

    def extent(self, cascade: int) -> float:
        """Half the side of a cube in world units."""
        return min(2.0**cascade, self.bound)

    @torch.no_grad()
    def update(
        self,
        density: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]],
        *,
        generator: torch.Generator | None = None,
        decay: float = DECAY,
        share: float = 1.0,
    ) -> None:
        """Let all densities decay, raise those of the cells that are looked at, and mark the occupied cells.

        Args:
            density: per world unit, at world points.
            generator: jitters the point within each cell; None for the cells' centres.
            share: of the cells that are looked at, drawn at random; 1 for all.
        """
        self.density_grid.mul_(decay)
        for cascade in range(self.cascades):
            own = self.density_grid[cascade]
            for part in self._chosen(generator, share):
                found = density(self.cell_points(cascade, part, generator))
                own.scatter_reduce_(0, part, found.to(own), "amax")  # a cell may be drawn twice: the greater counts
        self.mark()

    def mark(self) -> None:
        """Set bits and cells from the densities."""
        threshold = min(self.mean_density, self.density_threshold)
        self.density_bitfield.copy_(pack_bits(self.density_grid, threshold))
        self.unpack()

    def unpack(self) -> None:
        """Set the cells from the bits, for instance after loading a checkpoint."""
        bits = unpack_bits(self.density_bitfield).reshape(self.cascades, -1)
        self.occupied.copy_(bits[:, self.order].flatten())

    def cell_points(
        self, cascade: int, codes: Int[Tensor, " n"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n 3"]:
        """World points in cells that are given by their Morton numbers: the centre, or anywhere within."""
        centers = (2.0 * morton_coordinates(codes).float() + 1.0) / self.cells - 1.0
        extent = self.extent(cascade)
        points = centers * extent
        if generator is not None:
            drawn = torch.rand(points.shape, generator=generator, device=generator.device).to(points)
            points = points + (2.0 * drawn - 1.0) * (extent / self.cells)
        return points

    def rows(self, points: Float[Tensor, "n 3"], steps: Float[Tensor, " n"] | None = None) -> Int[Tensor, " n"]:
        """Index into `occupied` of the cell around each point of the box, in the smallest cube that holds it.

        Args:
            steps: lengths of the steps that are taken there; longer ones look into larger cubes.
        """
        cells = self.cells
        if self.cascades == 1:
            x, y, z = ((axis * (0.5 * cells / self.bound) + 0.5 * cells) for axis in points.unbind(dim=-1))
            x, y, z = (axis.clamp(0, cells - 1).int() for axis in (x, y, z))
            return (x * cells + y) * cells + z
        level = torch.frexp(points.abs().amax(dim=-1)).exponent
        if steps is not None:
            level = torch.maximum(level, torch.frexp(steps * (0.5 * cells)).exponent)
        level = level.clamp(0, self.cascades - 1)
        extent = torch.exp2(level.to(points)).clamp_max(self.bound)
        place = (0.5 * cells) * (points / extent[:, None] + 1.0)
        x, y, z = place.clamp(0, cells - 1).int().unbind(dim=-1)
        return ((level * cells + x) * cells + y) * cells + z

    def is_occupied(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Whether the cells around points of the box are worth a sample."""
        return self.occupied[self.rows(points).long()]

    def _chosen(self, generator: torch.Generator | None, share: float) -> list[Int[Tensor, " n"]]:
        count, place = self.cells**3, self.density_grid.device
        if share >= 1.0:
            return [torch.arange(part.start, part.stop, device=place) for part in slices(count, CHUNK)]
        assert generator is not None, "a share of the cells is drawn at random"
        wanted = max(1, round(share * count))
        drawn = torch.randint(count, (wanted,), generator=generator, device=generator.device).to(place)
        return list(drawn.split(CHUNK))
