"""Values of a signed distance on a regular grid: everywhere, or coarse to fine where the surface may pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ..errors import InputError
from .mesh import Mesh
from .node_grid import NUDGE, Distance, Grid, Sampler, crossed_blocks, every_node, nodes_of, off_nodes, triangles

COARSE = 16  # least number of nodes along an axis in the first look,
UNSURE = 32  # and where a network tells the distances, which are no true ones
_CAUTION = 1.0001  # rounding of bounds


@dataclass(frozen=True, eq=False)
class GridValues:
    """Distances at nodes i, j, k of a box, at -half_side + 2 half_side i / (nodes - 1).

    Attributes:
        values: exact at every cell that the surface crosses, elsewhere of the right sign and not too large.
        half_side: of the box.
        evaluated: number of points at which the field was evaluated.
    """

    values: Float[np.ndarray, "x y z"]
    half_side: float
    evaluated: int

    def between(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values linear between nodes; beyond the box the value of its border plus the distance from there."""
        inside = points.clamp(-self.half_side, self.half_side)
        grid = torch.from_numpy(self.values).to(points)[None, None]
        coordinates = (inside / self.half_side).flip(-1)[None, None, None]
        found = grid_sample(grid, coordinates, padding_mode="border", align_corners=True)[0, 0, 0, 0]
        return found + (points - inside).norm(dim=-1)


def dense_values(distance: Distance, nodes: int, *, half_side: float = 0.5, chunk: int = 1 << 16) -> GridValues:
    """All nodes, `chunk` at a time, as the published test does."""
    sampler = Sampler(distance, Grid.cube(half_side, nodes), chunk)
    return GridValues(sampler.at(every_node(sampler.grid.shape)).reshape(sampler.grid.shape), half_side, sampler.count)


def sparse_values(
    distance: Distance, nodes: int, *, half_side: float = 0.5, slope: float = 1.0, coarse: int = COARSE
) -> GridValues:
    """A coarse grid first, then grids of half the spacing, each asked only where signs are in doubt.

    What a field is at one node bounds what it is around: it changes by at most `slope` times the way. Where a neighbour
    settles the sign in this way, a node is not asked. On the last grid, the nodes of all cells that the surface crosses
    are, so that the surface is the one of the dense grid wherever the field's slope is at most `slope`.

    Args:
        slope: largest change of the field over a unit of length; 1 for a signed distance.
        coarse: least number of nodes along an axis of the first grid.

    Raises:
        InputError: the grid is too small, or the field is not finite.
    """
    if nodes < 2 or coarse < 2:
        raise InputError(f"A grid of {nodes} nodes, first looked at with {coarse}, is too small; give at least 2.")
    stride = 1
    while (nodes - 1) // (2 * stride) + 1 >= coarse:
        stride *= 2
    sampler = Sampler(distance, Grid.cube(half_side, nodes))
    shape = (-(-(nodes - 1) // stride) + 1,) * 3
    bounds = sampler.at(stride * every_node(shape)).reshape(shape)
    known = np.ones(bounds.shape, bool)
    while stride > 1:
        stride //= 2
        bounds, known = _halved(sampler, bounds, known, stride, slope * sampler.grid.spacing * stride * _CAUTION)
    while (missing := nodes_of(crossed_blocks(bounds < 0)) & ~known).any():
        bounds[missing] = sampler.at(np.argwhere(missing))
        known |= missing
    return GridValues(np.ascontiguousarray(bounds[:nodes, :nodes, :nodes]), half_side, sampler.count)


def _halved(
    sampler: Sampler, bounds: Float[np.ndarray, "x y z"], known: Bool[np.ndarray, "x y z"], stride: int, reach: float
) -> tuple[Float[np.ndarray, "u v w"], Bool[np.ndarray, "u v w"]]:
    """The grid at half the spacing: signed lower bounds of the distance, exact where they are known.

    Axis after axis, a new node lies between two others. Its bound is the better of theirs, less one step, and that of
    the corners around it in the grid before, less the way from there; where neither is left, the field is asked.

    Args:
        stride: of the new grid, in nodes of the last one.
        reach: by how much the field changes over it at most.
    """
    size = -(-(sampler.grid.shape[0] - 1) // stride) + 1
    corners, ways = bounds, np.zeros(bounds.shape, np.float32)
    for axis in range(3):
        cut = tuple(slice(size) if each <= axis else slice(None) for each in range(3))
        corners = _between(corners, axis, _farther)[cut]
        ways = _between(ways, axis, lambda a, _: a + 1)[cut]
        bounds = _between(bounds, axis, lambda a, b: _less(_farther(a, b), reach))[cut]
        known = _between(known, axis, lambda a, _: np.zeros_like(a))[cut]
        bounds = np.where(known, bounds, _farther(bounds, _less(corners, np.sqrt(ways) * reach)))
        doubtful = (bounds == 0) & ~known
        steps = np.array([1 if each <= axis else 2 for each in range(3)])
        bounds[doubtful] = sampler.at(np.argwhere(doubtful) * steps * stride)
        known |= doubtful
    return bounds, known


def _between(values: np.ndarray, axis: int, made: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """The grid with new nodes along an axis, each made of the two old ones next to it."""
    moved = np.moveaxis(values, axis, 0)
    fine = np.empty((2 * len(moved) - 1, *moved.shape[1:]), values.dtype)
    fine[::2] = moved
    fine[1::2] = made(moved[:-1], moved[1:])
    return np.moveaxis(fine, 0, axis)


def _farther(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The one of two signed distances whose magnitude is larger."""
    return np.where(np.abs(first) > np.abs(second), first, second)


def _less(bounds: np.ndarray, way: np.ndarray | float) -> np.ndarray:
    """Signed lower bounds after a way; 0 where nothing is left."""
    return np.sign(bounds) * np.maximum(np.abs(bounds) - way, 0)


def estimated_slope(grid: GridValues) -> float:
    """The 99th percentile of the field's slope near its surface, as a dense or coarse grid shows it."""
    spacing = 2 * grid.half_side / (len(grid.values) - 1)
    slopes = np.sqrt(sum(np.square(each) for each in np.gradient(grid.values, spacing)))
    near = np.abs(grid.values) <= 3 * spacing * max(float(np.median(slopes)), 1e-12)
    return float(np.percentile(slopes[near] if near.any() else slopes, 99))


def surface_of(grid: GridValues, *, closed: bool = True) -> Mesh:
    """The surface by marching cubes, outward normals, each vertex where it belongs in the box.

    Args:
        closed: a surface that the box cuts is closed just beyond it, and no vertex falls on a node, so that the mesh is
            watertight; else it stays open there, as published.

    Raises:
        InputError: nothing lies inside, or nothing outside.
    """
    values = grid.values
    if not (values < 0).any() or (not closed and not (values > 0).any()):
        raise InputError("The distances have no surface in the box: the network sees no object in this photo.")
    nodes = Grid.cube(grid.half_side, len(values))
    return triangles(off_nodes(values, NUDGE * nodes.spacing) if closed else values, nodes, closed=closed)
