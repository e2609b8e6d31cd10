"""A field's surface as triangles: a coarse look first, then a fine grid only where the surface passes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from skimage.measure import marching_cubes

from ..errors import InputError
from ..nn.field import Field
from .mesh import Mesh

DENSITY_LEVEL = 10.0
_NUDGE = 1e-3  # least distance of a surface vertex from a grid node, in cells: keeps vertices at distinct positions
_CAP = 50.0  # surfaces cut by the bounds end 1/51 of a cell beyond them


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of nodes: node (i, j, k) lies at `origin + spacing * (i, j, k)`."""

    origin: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, bounds: Float[np.ndarray, "2 3"], resolution: int) -> Grid:
        """`resolution` cells along the longest side, as many as needed along the others, centred on the box."""
        extent = bounds[1] - bounds[0]
        spacing = float(extent.max()) / resolution
        cells = np.maximum(np.ceil(extent / spacing - 1e-9), 1).astype(int)
        origin = bounds.mean(axis=0) - 0.5 * spacing * cells
        return cls(origin, spacing, tuple((cells + 1).tolist()))

    def points(self, nodes: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """World positions of nodes."""
        return self.origin + self.spacing * nodes

    def blocks(self, block: int) -> list[int]:
        """How many blocks of `block` cells cover each side; the last ones may reach beyond the grid."""
        return [max(1, -(-(nodes - 1) // block)) for nodes in self.shape]


def extract(
    field: Field,
    *,
    resolution: int = 256,
    level: float | None = None,
    coarse: int | None = None,
    chunk: int = 1 << 18,
) -> Mesh:
    """The level set of `field` by marching cubes (Lewiner et al. 2003), closed, with normals pointing outwards.

    A grid of blocks is looked at first; fine nodes are evaluated only in blocks that the surface may cross, and in
    every further block that it turns out to enter. The triangles are those of the full grid as long as the first
    look meets each part of the surface once: for a signed distance of slope at most 1 that is certain, a density
    must not have parts smaller than a block.

    Args:
        field: evaluated under no_grad on the device of its bounds.
        resolution: cells along the longest side of the bounds.
        level: None means 0 for a signed distance, 10 (per world unit) for a density.
        coarse: blocks along the longest side in the first look; None means about 64.
        chunk: points per call of the field.

    Raises:
        InputError: nothing crosses the level, or an option is out of range, or the field gives numbers that are not
            finite.
    """
    if resolution < 2:
        raise InputError(f"A surface needs a grid of at least 2 cells, not {resolution}; use for example 128.")
    sign = 1.0 if field.kind == "sdf" else -1.0
    level = (0.0 if field.kind == "sdf" else DENSITY_LEVEL) if level is None else level
    wanted = coarse if coarse is not None else min(64, max(resolution // 2, 1))
    block = max(1, round(resolution / max(1, min(wanted, resolution))))
    bounds = field.bounds.detach().cpu().numpy().astype(np.float64)
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise InputError(f"The field's bounds {bounds.tolist()} are not a box; set them before meshing.")
    grid = Grid.over(bounds, resolution)
    sampler = _Sampler(field, grid, sign, level, chunk)
    values = _sparse_values(sampler, block)
    if not (values < 0).any():
        raise InputError(
            f"The field has no surface at level {level:g} on a grid of {resolution} cells; "
            "lower the level or use a finer grid."
        )
    return _triangulate(values, sampler)


@dataclass(frozen=True, eq=False)
class _Sampler:
    """Field values turned so that the inside is negative: `sign * (value - level)`."""

    field: Field
    grid: Grid
    sign: float
    level: float
    chunk: int

    @property
    def tiny(self) -> float:
        """The smallest magnitude allowed at a node, so that no surface vertex coincides with one."""
        scale = self.grid.spacing if self.field.kind == "sdf" else max(abs(self.level), 1e-6)
        return _NUDGE * scale

    def at(self, nodes: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Values at nodes; those beyond the grid count as just outside."""
        within = (nodes < self.grid.shape).all(axis=1)
        if within.all():
            return self._evaluate(nodes)
        result = np.full(len(nodes), self.tiny, np.float32)
        result[within] = self._evaluate(nodes[within])
        return result

    @torch.no_grad()
    def _evaluate(self, nodes: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        place = self.field.bounds
        result = np.empty(len(nodes), np.float32)
        for start in range(0, len(nodes), self.chunk):
            points = self.grid.points(nodes[start : start + self.chunk])
            values = self.field.geometry(torch.from_numpy(points).to(place.device, torch.float32))
            result[start : start + self.chunk] = values.detach().float().cpu().numpy()
        if not np.isfinite(result).all():
            raise InputError("The field gives values that are not finite; it is damaged or was trained to divergence.")
        result = (self.sign * (result - self.level)).astype(np.float32)
        tiny = np.float32(self.tiny)
        near = np.abs(result) < tiny
        result[near] = np.where(result[near] < 0, -tiny, tiny)
        return result


def _sparse_values(sampler: _Sampler, block: int) -> Float[np.ndarray, "x y z"]:
    """Values on the whole grid: exact at every cell that the surface crosses, elsewhere of the right sign."""
    counts = sampler.grid.blocks(block)
    nodes = np.stack(np.meshgrid(*[block * np.arange(n + 1) for n in counts], indexing="ij"), axis=-1)
    coarse = sampler.at(nodes.reshape(-1, 3)).reshape(nodes.shape[:3])
    if block == 1:
        return coarse
    active = _first_look(coarse, sampler, block)
    values = _spread(np.where(coarse[:-1, :-1, :-1] < 0, np.float32(-1), np.float32(1)), block)
    done = np.zeros_like(active)
    while (active & ~done).any():
        fresh = np.nonzero(_nodes_of(active & ~done, block))
        values[fresh] = sampler.at(np.stack(fresh, axis=1))
        done |= active
        active = active | _mixed(values < 0, block)
    x, y, z = sampler.grid.shape
    return values[:x, :y, :z]


def _first_look(coarse: Float[np.ndarray, "x y z"], sampler: _Sampler, block: int) -> Bool[np.ndarray, "a b c"]:
    """Blocks that the surface may cross, judged by their eight corners."""
    lowest, highest = _over_corners(coarse, np.minimum), _over_corners(coarse, np.maximum)
    if sampler.field.kind == "sdf":  # slope at most 1: a corner further away than half the diagonal clears its part
        reach = 0.5 * math.sqrt(3.0) * block * sampler.grid.spacing * 1.001 + sampler.tiny
        return (lowest <= reach) & (highest >= -reach)
    crossed = (lowest < 0) & (highest >= 0)
    padded = np.pad(crossed, 1)
    return _over_corners(_over_corners(padded, np.logical_or), np.logical_or)


def _over_corners(values: np.ndarray, combine: np.ufunc) -> np.ndarray:
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        values = combine(values[tuple(low)], values[tuple(high)])
    return values


def _spread(blocks: np.ndarray, block: int) -> np.ndarray:
    """One value for each node: that of the block which starts at or before it."""
    for axis in range(3):
        last = np.take(blocks, [-1], axis=axis)
        blocks = np.concatenate([np.repeat(blocks, block, axis=axis), last], axis=axis)
    return np.ascontiguousarray(blocks)


def _nodes_of(active: Bool[np.ndarray, "a b c"], block: int) -> Bool[np.ndarray, "x y z"]:
    """Nodes in or on the border of active blocks."""
    for axis in range(3):
        repeated = np.repeat(active, block, axis=axis)
        edge = np.take(active, [-1], axis=axis)
        active = np.concatenate([repeated, edge], axis=axis)
        starts = [slice(None)] * 3
        ends = [slice(None)] * 3
        starts[axis] = slice(block, None, block)
        ends[axis] = slice(block - 1, -1, block)
        active[tuple(starts)] |= active[tuple(ends)]
    return active


def _mixed(inside: Bool[np.ndarray, "x y z"], block: int) -> Bool[np.ndarray, "a b c"]:
    """Blocks with nodes on both sides of the surface."""
    some, every = inside, inside
    for axis in range(3):
        some = _reduce(some, block, axis, np.logical_or)
        every = _reduce(every, block, axis, np.logical_and)
    return some & ~every


def _reduce(values: np.ndarray, block: int, axis: int, combine: np.ufunc) -> np.ndarray:
    starts = np.arange(0, values.shape[axis] - 1, block)
    within = combine.reduceat(np.take(values, np.arange(values.shape[axis] - 1), axis=axis), starts, axis=axis)
    return combine(within, np.take(values, starts + block, axis=axis))


def _triangulate(values: Float[np.ndarray, "x y z"], sampler: _Sampler) -> Mesh:
    closed = np.pad(values, 1, mode="edge")
    for axis in range(3):  # a surface cut by the bounds is closed just beyond them
        for side in (0, -1):
            border = np.moveaxis(closed, axis, 0)[side]
            np.copyto(border, np.abs(border) * np.float32(_CAP))
    vertices, faces, _, _ = marching_cubes(closed, 0.0, gradient_direction="descent")
    grid = sampler.grid
    return Mesh(grid.origin + grid.spacing * (vertices.astype(np.float64) - 1.0), faces.astype(np.int64))
