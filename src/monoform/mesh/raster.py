"""Which texels a set of flat triangles covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_CANDIDATES_AT_ONCE = 1 << 21
_EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Coverage:
    """Pairs of a texel and a triangle over its center; a texel may occur more than once.

    Attributes:
        texel: row * width + column.
        face: index of the triangle.
        barycentric: weights of its corners at the center.
    """

    texel: Int[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]

    def first_of_each(self) -> Coverage:
        """One pair for each texel that is covered at all."""
        texel, first = np.unique(self.texel, return_index=True)
        return Coverage(texel, self.face[first], self.barycentric[first])


def cover(triangles: Float[np.ndarray, "f 3 2"], width: int, height: int) -> Coverage:
    """Find the texel centres (column + 0.5, row + 0.5) inside or on triangles given in texel units."""
    parts = list(_parts(np.asarray(triangles, dtype=np.float64), width, height))
    if not parts:
        return Coverage(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)))
    return Coverage(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _parts(triangles: np.ndarray, width: int, height: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    limit = np.array([width, height])
    low = np.ceil(triangles.min(axis=1) - 0.5 - _EDGE).clip(0, limit).astype(np.int64)
    high = np.floor(triangles.max(axis=1) - 0.5 + _EDGE).clip(-1, limit - 1).astype(np.int64)
    size = np.maximum(high - low + 1, 0)
    counts = size[:, 0] * size[:, 1]
    order = np.nonzero(counts)[0]
    ends = np.cumsum(counts[order])
    start = 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _CANDIDATES_AT_ONCE, side="right")))
        yield _inside(triangles, order[start:stop], low, size, counts, width)
        start = stop


def _inside(
    triangles: np.ndarray, faces: np.ndarray, low: np.ndarray, size: np.ndarray, counts: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    face = np.repeat(faces, counts[faces])
    starts = np.cumsum(counts[faces]) - counts[faces]
    place = np.arange(len(face)) - np.repeat(starts, counts[faces])
    column = low[face, 0] + place % size[face, 0]
    row = low[face, 1] + place // size[face, 0]
    weights = _barycentric(triangles, face, column + 0.5, row + 0.5)
    kept = weights.min(axis=1) >= -_EDGE
    return row[kept] * width + column[kept], face[kept], weights[kept]


def _barycentric(triangles: np.ndarray, face: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    usable = np.abs(area) > 1e-12
    scale = np.where(usable, 1.0 / np.where(usable, area, 1.0), np.nan)
    # Each weight is linear in x and y: coefficients per triangle, evaluated per texel.
    u = np.stack([c[:, 1] - a[:, 1], -(c[:, 0] - a[:, 0])], axis=1) * scale[:, None]
    v = np.stack([-(b[:, 1] - a[:, 1]), b[:, 0] - a[:, 0]], axis=1) * scale[:, None]
    dx, dy = x - a[face, 0], y - a[face, 1]
    second = dx * u[face, 0] + dy * u[face, 1]
    third = dx * v[face, 0] + dy * v[face, 1]
    return np.stack([np.nan_to_num(1.0 - second - third, nan=-1.0), second, third], axis=1)
