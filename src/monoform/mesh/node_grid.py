"""A regular grid of nodes: a field asked at some of them, and the surface between them as triangles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from skimage.measure import marching_cubes
from torch import Tensor

from ..errors import InputError
from .mesh import Mesh

Distance = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
CHUNK = 1 << 18
NUDGE = 1e-3  # least distance of a surface vertex from a grid node, in cells: keeps vertices at distinct positions
_CAP = 50.0  # surfaces cut by the bounds end 1/51 of a cell beyond them


@dataclass(frozen=True, eq=False)
class Grid:
    """Node (i, j, k) lies at `origin + spacing * (i, j, k)`."""

    origin: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, bounds: Float[np.ndarray, "2 3"], resolution: int) -> Grid:
        """`resolution` cells along the longest side, as many as needed along the others, centered on the box."""
        extent = bounds[1] - bounds[0]
        spacing = float(extent.max()) / resolution
        cells = np.maximum(np.ceil(extent / spacing - 1e-9), 1).astype(int)
        origin = bounds.mean(axis=0) - 0.5 * spacing * cells
        return cls(origin, spacing, tuple((cells + 1).tolist()))

    @classmethod
    def cube(cls, half_side: float, nodes: int) -> Grid:
        """`nodes` along each side of the box from -half_side to half_side."""
        return cls(np.full(3, -half_side), 2 * half_side / (nodes - 1), (nodes,) * 3)

    def part(self, first: tuple[int, ...], shape: tuple[int, ...]) -> Grid:
        """The grid of those nodes that begin at `first`."""
        return Grid(self.points(np.array([first]))[0], self.spacing, (shape[0], shape[1], shape[2]))

    def points(self, nodes: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """World positions of nodes."""
        return self.origin + self.spacing * nodes


class Sampler:
    """Asks a field at nodes, and counts.

    Args:
        distance: negative inside, of points in float32.
        chunk: points per call.
    """

    def __init__(self, distance: Distance, grid: Grid, chunk: int = CHUNK) -> None:
        self.distance, self.grid, self.chunk = distance, grid, chunk
        self.count = 0

    @torch.no_grad()
    def at(self, nodes: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Values at nodes, which may lie beyond the grid.

        Raises:
            InputError: one is not finite.
        """
        result = np.empty(len(nodes), np.float32)
        for start in range(0, len(nodes), self.chunk):
            points = self.grid.points(nodes[start : start + self.chunk])
            found = self.distance(torch.from_numpy(points).float())
            result[start : start + self.chunk] = found.detach().float().cpu().numpy()
        self.count += len(nodes)
        if not np.isfinite(result).all():
            raise InputError(
                "The field gives values that are not finite: its weights or the photo are damaged, or its training "
                "diverged."
            )
        return result


def every_node(shape: tuple[int, ...]) -> Int[np.ndarray, "n 3"]:
    """Indices of all nodes."""
    return np.stack(np.unravel_index(np.arange(math.prod(shape)), shape), axis=1)


def crossed_blocks(inside: Bool[np.ndarray, "x y z"], block: int = 1) -> Bool[np.ndarray, "a b c"]:
    """Blocks of `block` cells with nodes on both sides of the surface."""
    some, every = inside, inside
    for axis in range(3):
        some = _reduced(some, block, axis, np.logical_or)
        every = _reduced(every, block, axis, np.logical_and)
    return some & ~every


def _reduced(values: np.ndarray, block: int, axis: int, combine: np.ufunc) -> np.ndarray:
    """Over the nodes of each block, those on its borders too."""
    moved = np.moveaxis(values, axis, 0)
    last = len(moved) - block
    found = moved[:last:block]
    for offset in range(1, block + 1):
        found = combine(found, moved[offset : last + offset : block])
    return np.moveaxis(found, 0, axis)


def nodes_of(active: Bool[np.ndarray, "a b c"], block: int = 1) -> Bool[np.ndarray, "x y z"]:
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


def off_nodes(values: Float[np.ndarray, "*n"], tiny: float) -> Float[np.ndarray, "*n"]:
    """Values of the same sign and of a magnitude of at least `tiny`, so that no surface vertex falls on a node."""
    least = np.float32(tiny)
    near = np.abs(values) < least
    values = values.copy()
    values[near] = np.where(values[near] < 0, -least, least)
    return values


def triangles(
    values: Float[np.ndarray, "x y z"],
    grid: Grid,
    *,
    closed: bool = True,
    table: Literal["lewiner", "lorensen"] = "lewiner",
) -> Mesh:
    """The surface between nodes by marching cubes, with normals pointing outwards.

    Args:
        values: negative inside; off the cells that the surface crosses, the right sign is enough.
        closed: a surface that the bounds cut is closed just beyond them, else it stays open there.
        table: of the triangles of a cell: that of Lewiner et al. (2003), whose surface is a manifold; or that of
            Lorensen and Cline (1987), whose vertices lie on the grid's edges alone.
    """
    if closed:
        values = np.pad(values, 1, mode="edge")
        for axis in range(3):
            for side in (0, -1):
                border = np.moveaxis(values, axis, 0)[side]
                np.copyto(border, np.abs(border) * np.float32(_CAP))
    vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="descent", method=table)
    nodes = vertices.astype(np.float64) - (1.0 if closed else 0.0)
    return Mesh(grid.origin + grid.spacing * nodes, faces.astype(np.int64))
