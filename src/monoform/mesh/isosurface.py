"""A field's surface as triangles: a coarse look first, then a fine grid only where the surface passes."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError
from ..nn.field import Field
from .mesh import Mesh, merged_already
from .node_grid import CHUNK, NUDGE, Grid, Sampler, crossed_blocks, every_node, nodes_of, off_nodes, triangles

DENSITY_LEVEL = 10.0
_FAR = 1e9  # magnitude where the sign alone is known


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
    if is_distance:
        block = 1 << (block.bit_length() - 1)  # halved again and again
    bounds = field.bounds.detach().cpu().numpy().astype(np.float64)
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise InputError(f"The field's bounds {bounds.tolist()} are not a box; set them before meshing.")
    grid = Grid.over(bounds, resolution)

    def distance(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        found = field.geometry(points.to(field.bounds.device)).float() - level
        return found if is_distance else -found

    tiny = NUDGE * (grid.spacing if is_distance else max(abs(level), 1e-6))
    values, grid = _sparse_values(Sampler(distance, grid, chunk), block, slope=1.0 if is_distance else None, tiny=tiny)
    if not (values < 0).any():
        raise NoSurfaceError(
            f"The field has no surface at level {level:g} on a grid of {resolution} cells; "
            "lower the level or use a finer grid."
        )
    return merged_already(triangles(values, grid))


def _sparse_values(
    sampler: Sampler, block: int, *, slope: float | None, tiny: float
) -> tuple[Float[np.ndarray, "x y z"], Grid]:
    """Values on that part of the grid beyond which all is outside: exact at every cell that the surface crosses,
    elsewhere of the right sign.

    Args:
        block: cells along a side of a block of the first look.
        slope: by how much the field changes over a unit of length at most; None where no such bound is known.
        tiny: least magnitude at a node.
    """
    shape = sampler.grid.shape
    corners = block * every_node(tuple(-(-(nodes - 1) // block) + 1 for nodes in shape))
    within = (corners < shape).all(axis=1)
    coarse = np.zeros(len(corners), np.float32)  # beyond the grid lies the outside
    coarse[within] = sampler.at(corners[within])
    values = coarse.reshape(corners[-1] // block + 1)
    grid = sampler.grid
    if block == 1:
        return off_nodes(values, tiny), grid
    active = _coarse_pass(values, None if slope is None else slope * block * grid.spacing)
    window = _window(active | _over_corners(values < 0, np.logical_or))
    found = _within(sampler, values, active, block, window, slope, tiny)
    if _is_left(found < 0, window, active.shape):
        window = tuple(slice(0, blocks) for blocks in active.shape)
        found = _within(sampler, values, active, block, window, slope, tiny)
    return found, grid.part(tuple(block * each.start for each in window), found.shape)


def _within(
    sampler: Sampler,
    values: Float[np.ndarray, "x y z"],
    active: Bool[np.ndarray, "a b c"],
    stride: int,
    window: tuple[slice, ...],
    slope: float | None,
    tiny: float,
) -> Float[np.ndarray, "u v w"]:
    """Values at the nodes of a window of blocks, the stride halved again and again where a slope is known."""
    first = tuple(stride * each.start for each in window)
    active, values = active[window], values[tuple(slice(each.start, each.stop + 1) for each in window)]
    while True:
        step = 1 if slope is None or stride % 2 else stride // 2
        values = _finer(sampler, values, active, first, stride, step, tiny)
        if step == 1:
            return values
        assert slope is not None
        stride, active = step, _coarse_pass(values, slope * step * sampler.grid.spacing)


def _window(blocks: Bool[np.ndarray, "a b c"]) -> tuple[slice, ...]:
    """The box around all blocks that are named, and one more on each side."""
    found = []
    for axis in range(3):
        named = np.flatnonzero(blocks.any(axis=tuple({0, 1, 2} - {axis})))
        first, last = (int(named[0]), int(named[-1])) if len(named) else (0, 0)
        found.append(slice(max(first - 1, 0), min(last + 2, blocks.shape[axis])))
    return tuple(found)


def _is_left(inside: Bool[np.ndarray, "x y z"], window: tuple[slice, ...], blocks: tuple[int, ...]) -> bool:
    """Whether the solid goes on beyond a window within the grid."""
    for axis, (each, count) in enumerate(zip(window, blocks, strict=True)):
        sides = np.moveaxis(inside, axis, 0)
        if (each.start > 0 and sides[0].any()) or (each.stop < count and sides[-1].any()):
            return True
    return False


def _finer(
    sampler: Sampler,
    values: Float[np.ndarray, "x y z"],
    active: Bool[np.ndarray, "a b c"],
    first: tuple[int, ...],
    stride: int,
    step: int,
    tiny: float,
) -> Float[np.ndarray, "u v w"]:
    """From nodes at a stride to nodes at a smaller one: asked in active blocks, elsewhere the sign of the block."""
    block = stride // step
    x, y, z = (-(-(nodes - start) // step) for nodes, start in zip(sampler.grid.shape, first, strict=True))
    values = _spread(np.where(values[:-1, :-1, :-1] < 0, np.float32(-_FAR), np.float32(_FAR)), block)
    values[x:] = values[:, y:] = values[:, :, z:] = _FAR
    done = np.zeros_like(active)
    while (fresh := active & ~done).any():
        asked = np.nonzero(nodes_of(fresh, block)[:x, :y, :z])
        values[asked] = off_nodes(sampler.at(np.stack(asked, axis=1) * step + first), tiny)
        done |= fresh
        active = crossed_blocks(values < 0, block)
    return values if step > 1 else values[:x, :y, :z]


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
    a, b, c = (block * count + 1 for count in blocks.shape)
    rows = np.repeat(np.pad(blocks, ((0, 1),) * 3, mode="edge"), block, axis=2)
    spread = np.broadcast_to(rows[:, None, :, None], (rows.shape[0], block, rows.shape[1], block, rows.shape[2]))
    return spread.reshape(rows.shape[0] * block, rows.shape[1] * block, rows.shape[2])[:a, :b, :c]
