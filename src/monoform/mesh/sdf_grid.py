"""Values of a signed distance on a regular grid: everywhere, or coarse to fine where the surface may pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn.functional import grid_sample

from ..errors import InputError
from .mesh import Mesh

Distance = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
COARSE = 16  # least number of nodes along an axis in the first look,
UNSURE = 32  # and where a network tells the distances, which are no true ones
_CAUTION = 1.0001  # rounding of bounds
_NUDGE = 1e-3  # least distance of a surface vertex from a node, in cells: keeps vertices at distinct positions
_CAP = 50.0  # surfaces cut by the box end 1/51 of a cell beyond it
_AT_ONCE = 1 << 18


@dataclass(frozen=True, eq=False)
class GridValues:
    """Distances at nodes i, j, k of a box, at -half_side + 2 half_side i / (nodes - 1).

    values: exact at every cell that the surface crosses, elsewhere of the right sign and not too large.
    evaluated: how many points were asked for.
    """

    values: Float[np.ndarray, "x y z"]
    half_side: float
    evaluated: int

    def between(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Between nodes linear; beyond the box that of its border, and as much more as the way from there."""
        inside = points.clamp(-self.half_side, self.half_side)
        grid = torch.from_numpy(self.values).to(points)[None, None]
        places = (inside / self.half_side).flip(-1)[None, None, None]
        found = grid_sample(grid, places, padding_mode="border", align_corners=True)[0, 0, 0, 0]
        return found + (points - inside).norm(dim=-1)


def dense_values(distance: Distance, nodes: int, *, half_side: float = 0.5, chunk: int = 1 << 16) -> GridValues:
    """All nodes, `chunk` at a time, as the published test does."""
    sampler = _Sampler(distance, nodes, half_side, chunk)
    return GridValues(sampler.at(_every((nodes,) * 3), 1).reshape((nodes,) * 3), half_side, sampler.count)


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
    sampler = _Sampler(distance, nodes, half_side, _AT_ONCE)
    size = -(-(nodes - 1) // stride) + 1
    bounds = sampler.at(_every((size,) * 3), stride).reshape((size,) * 3)
    known = np.ones(bounds.shape, bool)
    while stride > 1:
        stride //= 2
        bounds, known = _halved(sampler, bounds, known, stride, slope * sampler.spacing * stride * _CAUTION)
    while (missing := _crossed(bounds < 0) & ~known).any():
        bounds[missing] = sampler.at(np.argwhere(missing), 1)
        known |= missing
    return GridValues(np.ascontiguousarray(bounds[:nodes, :nodes, :nodes]), half_side, sampler.count)


def _halved(
    sampler: _Sampler, bounds: Float[np.ndarray, "x y z"], known: Bool[np.ndarray, "x y z"], stride: int, reach: float
) -> tuple[Float[np.ndarray, "u v w"], Bool[np.ndarray, "u v w"]]:
    """The grid at half the spacing: signed lower bounds of the distance, exact where they are known.

    Axis after axis, a new node lies between two others. Its bound is the better of theirs, less one step, and that of
    the corners around it in the grid before, less the way from there; where neither is left, the field is asked.

    Args:
        stride: of the new grid, in nodes of the last one. reach: by how much the field changes over it at most.
    """
    size = -(-(sampler.nodes - 1) // stride) + 1
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
        bounds[doubtful] = sampler.at(np.argwhere(doubtful) * steps, stride)
        known |= doubtful
    return bounds, known


def _between(values: np.ndarray, axis: int, made: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """The grid with new nodes between its own along an axis, made of the two beside them."""
    moved = np.moveaxis(values, axis, 0)
    fine = np.empty((2 * len(moved) - 1, *moved.shape[1:]), values.dtype)
    fine[::2] = moved
    fine[1::2] = made(moved[:-1], moved[1:])
    return np.moveaxis(fine, 0, axis)


def _farther(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of two signed distances the larger one."""
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


class _Sampler:
    """Asks the field at nodes, and counts."""

    def __init__(self, distance: Distance, nodes: int, half_side: float, chunk: int) -> None:
        self.distance, self.nodes, self.half_side, self.chunk = distance, nodes, half_side, chunk
        self.spacing = 2 * half_side / (nodes - 1)
        self.count = 0

    @torch.no_grad()
    def at(self, index: Int[np.ndarray, "n 3"], stride: int) -> Float[np.ndarray, " n"]:
        """Values at multiples of the stride; the last ones may lie beyond the box by less than a stride."""
        result = np.empty(len(index), np.float32)
        for start in range(0, len(index), self.chunk):
            place = index[start : start + self.chunk] * (stride * self.spacing) - self.half_side
            found = self.distance(torch.from_numpy(place).float())
            result[start : start + self.chunk] = found.float().cpu().numpy()
        self.count += len(index)
        if not np.isfinite(result).all():
            raise InputError("The network gives distances that are not finite; its weights or the photo are damaged.")
        return result


def _every(shape: tuple[int, ...]) -> Int[np.ndarray, "n 3"]:
    """Indices of all nodes."""
    return np.stack(np.unravel_index(np.arange(math.prod(shape)), shape), axis=1)


def _crossed(inside: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    """Nodes of cells whose corners lie on both sides."""
    some, every = inside, inside
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        some = some[tuple(low)] | some[tuple(high)]
        every = every[tuple(low)] & every[tuple(high)]
    mixed = some & ~every
    for axis in range(3):
        before, after = [(0, 0)] * 3, [(0, 0)] * 3
        before[axis], after[axis] = (1, 0), (0, 1)
        mixed = np.pad(mixed, before) | np.pad(mixed, after)
    return mixed


def surface_of(grid: GridValues, *, closed: bool = True) -> Mesh:
    """The surface by marching cubes, outward normals, each vertex where it belongs in the box.

    Args:
        closed: a surface that the box cuts is closed just beyond it, and no vertex falls on a node, so that the mesh is
            watertight; else it stays open there, as published.

    Raises:
        InputError: nothing lies inside, or nothing outside.
    """
    values, spacing = grid.values, 2 * grid.half_side / (len(grid.values) - 1)
    if not (values < 0).any() or (not closed and not (values > 0).any()):
        raise InputError("The distances have no surface in the box: the network sees no object in this photo.")
    if closed:
        tiny = np.float32(_NUDGE * spacing)
        values = np.where(np.abs(values) < tiny, np.where(values < 0, -tiny, tiny), values)
        values = np.pad(values, 1, mode="edge")
        for axis in range(3):
            for side in (0, -1):
                border = np.moveaxis(values, axis, 0)[side]
                np.copyto(border, np.abs(border) * np.float32(_CAP))
    vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="descent")
    nodes = vertices.astype(np.float64) - (1.0 if closed else 0.0)
    return Mesh(spacing * nodes - grid.half_side, faces.astype(np.int64))


def rescaled_as_published(
    vertices: Float[np.ndarray, "v 3"], nodes: int, half_side: float = 0.5
) -> Float[np.ndarray, "v 3"]:
    """Vertices of the box as the original writes them: stretched so that the smallest coordinate of all lies at
    -half_side, which is where they belong only if the surface touches both ends of the grid.

    Up to ten vertices stay in node units, as there.
    """
    raw = (vertices + half_side) * ((nodes - 1) / (2 * half_side))
    if len(raw) <= 10:
        return raw
    return (raw - raw.min()) / raw.max() * (2 * half_side) - half_side
