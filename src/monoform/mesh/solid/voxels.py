"""A surface as voxels: which cells it passes through, and which of the others can be reached from outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from ...errors import InputError
from .. import Mesh

_REACH = 0.49  # in cells: below one half, so that of two cells that the surface separates one holds a sample
_MARGIN = 3


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Cells of a box around a mesh: cell (i, j, k) covers `origin` + `size` * [i..i+1, j..j+1, k..k+1].

    All cells beyond the grid are outside.

    Attributes:
        origin: lower corner of the box.
        size: side of a cell.
        surface: whether the surface passes through the cell.
        outside: whether the cell is free and reached from the box's border through faces of free cells.
    """

    origin: Float[np.ndarray, " 3"]
    size: float
    surface: Bool[np.ndarray, "x y z"]
    outside: Bool[np.ndarray, "x y z"]

    def cells(self, points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n 3"]:
        """The cell of each point, clamped to the grid (whose border is always outside)."""
        cells = np.floor((points - self.origin) / self.size).astype(np.int64)
        return np.clip(cells, 0, np.array(self.outside.shape) - 1)

    def look_up(self, values: np.ndarray, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """The value of a grid of this shape at each point's cell."""
        i, j, k = self.cells(points).T
        return values[i, j, k]

    def centers(self, chosen: Bool[np.ndarray, "x y z"]) -> Float[np.ndarray, "n 3"]:
        """Centres of the chosen cells in the world."""
        return self.origin + (np.argwhere(chosen) + 0.5) * self.size


def voxelize(mesh: Mesh, *, size: float) -> tuple[VoxelGrid, Float[np.ndarray, "s 3"], Int[np.ndarray, " s"]]:
    """The grid of a mesh, and the surface samples that it was made from with the face of each.

    The samples cover the surface to within half a cell, so the cells that hold one let no path through that moves from
    cell to cell across faces (Cohen-Or and Kaufman 1995: 6-separating).

    Raises:
        InputError: the mesh has no faces, or the grid would have more than 400 million cells.
    """
    if len(mesh.faces) == 0:
        raise InputError("A mesh without faces has no inside.")
    low, high = mesh.bounds
    origin = low - _MARGIN * size
    shape = np.ceil((high - low) / size).astype(np.int64) + 2 * _MARGIN
    if np.prod(shape.astype(float)) > 4e8:
        raise InputError(f"Voxels of {size} are too small for a mesh of size {(high - low).tolist()}; use larger ones.")
    samples, faces = dense_samples(mesh, reach=_REACH * size)
    i, j, k = np.floor((samples - origin) / size).astype(np.int64).T
    surface = np.zeros(shape, bool)
    surface[i, j, k] = True
    labels, _ = ndimage.label(~surface)
    return VoxelGrid(origin, size, surface, labels == labels[0, 0, 0]), samples, faces


def dense_samples(mesh: Mesh, *, reach: float) -> tuple[Float[np.ndarray, "s 3"], Int[np.ndarray, " s"]]:
    """Points of each face such that none of it is further than `reach` from one of them."""
    triangles = mesh.triangles
    lengths = np.linalg.norm(np.roll(triangles, -1, axis=1) - triangles, axis=2)
    longest = lengths.argmax(axis=1)
    corners = (longest[:, None] + np.arange(3)) % 3
    start, end, apex = np.moveaxis(np.take_along_axis(triangles, corners[..., None], axis=1), 1, 0)
    base = lengths.max(axis=1)
    height = 2.0 * mesh.face_areas / np.maximum(base, 1e-30)
    # Rows parallel to the longest side. Beneath a slanting end the row below must do alone: 0.7^2 + 0.71^2 < 1.
    rows = np.maximum(np.ceil(height / (0.7 * reach)), 1).astype(np.int64)
    face, row = _counted(rows + 1)
    v = row / rows[face]
    columns = np.ceil((1 - v) * base[face] / (1.42 * reach) - 1e-9).astype(np.int64)
    line, column = _counted(columns + 1)
    face, v = face[line], v[line]
    u = column / np.maximum(columns, 1)[line]
    left, right = (1 - v) * (1 - u), (1 - v) * u
    points = left[:, None] * start[face] + right[:, None] * end[face] + v[:, None] * apex[face]
    return points, face


def _counted(counts: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Each index repeated by its count, and the number of each repetition, 0, 1, 2..."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def grown(cells: Bool[np.ndarray, "x y z"], *, corners: bool = False) -> Bool[np.ndarray, "x y z"]:
    """The cells and their neighbours across faces; with `corners` also those across edges and corners."""
    result = cells.copy()
    for axis in range(3):
        source = np.moveaxis(result if corners else cells, axis, 0).copy()
        target = np.moveaxis(result, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return result
