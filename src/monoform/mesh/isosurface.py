"""A field's surface as triangles: a coarse look first, then a fine grid only where the surface passes."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError
from ..nn.field import Field
from .mesh import Mesh
from .node_grid import CHUNK, NUDGE, Grid, Sampler, crossed_blocks, every_node, nodes_of, off_nodes, triangles

DENSITY_LEVEL = 10.0


class NoSurfaceError(InputError):
    """Nothing in a field crosses the level that was asked for."""


def extract(
    field: Field,
    *,
    resolution: int = 256,
    level: float | None = None,
    coarse: int | None = None,
    chunk: int = CHUNK,
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
        NoSurfaceError: nothing crosses the level.
        InputError: an option is out of range, or the field gives numbers that are not finite.
    """
    if resolution < 2:
        raise InputError(f"A surface needs a grid of at least 2 cells, not {resolution}; use for example 128.")
    is_distance = field.kind == "sdf"
    level = (0.0 if is_distance else DENSITY_LEVEL) if level is None else level
    wanted = coarse if coarse is not None else min(64, max(resolution // 2, 1))
    block = max(1, round(resolution / max(1, min(wanted, resolution))))
    bounds = field.bounds.detach().cpu().numpy().astype(np.float64)
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise InputError(f"The field's bounds {bounds.tolist()} are not a box; set them before meshing.")
    grid = Grid.over(bounds, resolution)

    def distance(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        found = field.geometry(points.to(field.bounds.device)).float() - level
        return found if is_distance else -found

    tiny = NUDGE * (grid.spacing if is_distance else max(abs(level), 1e-6))
    values = _sparse_values(Sampler(distance, grid, chunk), block, slope=1.0 if is_distance else None, tiny=tiny)
    if not (values < 0).any():
        raise NoSurfaceError(
            f"The field has no surface at level {level:g} on a grid of {resolution} cells; "
            "lower the level or use a finer grid."
        )
    return triangles(values, grid)


def _sparse_values(sampler: Sampler, block: int, *, slope: float | None, tiny: float) -> Float[np.ndarray, "x y z"]:
    """Values on the whole grid: exact at every cell that the surface crosses, elsewhere of the right sign.

    Args:
        block: cells along a side of a block of the first look.
        slope: by how much the field changes over a unit of length at most; None where no such bound is known.
        tiny: least magnitude at a node.
    """
    x, y, z = sampler.grid.shape
    corners = block * every_node(tuple(-(-(nodes - 1) // block) + 1 for nodes in (x, y, z)))
    within = (corners < (x, y, z)).all(axis=1)
    coarse = np.zeros(len(corners), np.float32)  # beyond the grid lies the outside
    coarse[within] = sampler.at(corners[within])
    coarse = coarse.reshape(corners[-1] // block + 1)
    if block == 1:
        return off_nodes(coarse, tiny)
    active = _coarse_pass(coarse, None if slope is None else slope * block * sampler.grid.spacing)
    values = _spread(np.where(coarse[:-1, :-1, :-1] < 0, np.float32(-1), np.float32(1)), block)
    values[x:] = values[:, y:] = values[:, :, z:] = 0
    done = np.zeros_like(active)
    while (fresh := active & ~done).any():
        asked = np.nonzero(nodes_of(fresh, block)[:x, :y, :z])
        values[asked] = off_nodes(sampler.at(np.stack(asked, axis=1)), tiny)
        done |= fresh
        active = crossed_blocks(values < 0, block)
    return values[:x, :y, :z]


def _coarse_pass(coarse: Float[np.ndarray, "x y z"], change: float | None) -> Bool[np.ndarray, "a b c"]:
    """Blocks that the surface may cross, judged by their eight corners and by how much a block's side can change."""
    lowest, highest = _over_corners(coarse, np.minimum), _over_corners(coarse, np.maximum)
    if change is not None:  # a corner further away than half the diagonal clears its part
        reach = 0.5 * math.sqrt(3.0) * change * 1.002
        return (lowest <= reach) & (highest >= -reach)
    crossed = (lowest < 0) & (highest >= 0)
    padded = np.pad(crossed, 1)
    return _over_corners(_over_corners(padded, np.logical_or), np.logical_or)


def _over_corners(values: np.ndarray, combine: np.ufunc) -> np.ndarray:
    for axis in range(3):
        moved = np.moveaxis(values, axis, 0)
        values = np.moveaxis(combine(moved[:-1], moved[1:]), 0, axis)
    return values


def _spread(blocks: np.ndarray, block: int) -> np.ndarray:
    """One value for each node: that of the block which starts at or before it."""
    for axis in range(3):
        last = np.take(blocks, [-1], axis=axis)
        blocks = np.concatenate([np.repeat(blocks, block, axis=axis), last], axis=axis)
    return np.ascontiguousarray(blocks)
