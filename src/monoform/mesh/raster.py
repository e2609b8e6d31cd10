"""Which texels a set of flat triangles covers, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Spans:
    """Runs of texels within one row and one triangle, in the order of the triangles.

    Attributes:
        face: index of the triangle.
        row: of the texels.
        start: column of the first.
        count: of the texels, 1 or more.
    """

    face: Int[np.ndarray, " s"]
    row: Int[np.ndarray, " s"]
    start: Int[np.ndarray, " s"]
    count: Int[np.ndarray, " s"]

    def steps(self) -> Int[np.ndarray, " n"]:
        """For each texel of all runs, how far it is from the first of its run."""
        return _steps(self.count)


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
        """One pair for each texel that is covered at all: that of the first triangle."""
        first = np.full(int(self.texel.max(initial=-1)) + 1, -1)
        first[self.texel[::-1]] = np.arange(len(self.texel))[::-1]
        texel = np.flatnonzero(first >= 0)
        return Coverage(texel, self.face[first[texel]], self.barycentric[first[texel]])


def cover(triangles: Float[np.ndarray, "f 3 2"], width: int, height: int) -> Coverage:
    """Find the texel centres (column + 0.5, row + 0.5) inside or on triangles given in texel units."""
    triangles = np.asarray(triangles, dtype=np.float64)
    found = spans(triangles[..., 0].T, triangles[..., 1].T, width, height)
    face, row = np.repeat(found.face, found.count), np.repeat(found.row, found.count)
    column = np.repeat(found.start, found.count) + found.steps()
    weights = _barycentric(triangles, face, column + 0.5, row + 0.5)
    kept = np.flatnonzero(np.minimum.reduce(weights) >= -_EDGE)
    return Coverage(row[kept] * width + column[kept], face[kept], np.stack([each[kept] for each in weights], axis=1))


def spans(x: Float[np.ndarray, "3 f"], y: Float[np.ndarray, "3 f"], width: int, height: int) -> Spans:
    """The texels whose centers lie within or on triangles, in texel units.

    Each row is cut by the triangle's long side, from its top to its bottom, and by one of the two short ones.
    """
    top, middle, bottom = _by_height(x, y)
    begin, turn, end = _first(top[1], height), _first(middle[1], height), _last(bottom[1], height) + 1
    turn = np.where(bottom[1] > middle[1], turn, end)  # a flat bottom belongs to the upper part
    count = np.maximum(np.stack([turn - begin, end - turn], axis=1).reshape(-1), 0)
    part = np.repeat(np.arange(len(count), dtype=np.int32), count)
    row = np.repeat(np.stack([begin, turn], axis=1).reshape(-1), count) + _steps(count)
    place = row + 0.5
    long, face = _side(top, bottom), part >> 1
    upper, lower = _side(top, middle), _side(middle, bottom)
    short = [np.stack(pair, axis=1).reshape(-1) for pair in zip(upper, lower, strict=True)]
    one = long[0][face] + long[1][face] * place
    other = short[0][part] + short[1][part] * place
    start = _first(np.minimum(one, other), width)
    count = _last(np.maximum(one, other), width) + 1 - start
    kept = np.flatnonzero(count > 0)
    return Spans(face[kept], row[kept], start[kept], count[kept])


def _by_height(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The corners (x, y) of each triangle, that of least y first."""
    corners = list(zip(x, y, strict=True))
    for first, second in ((0, 1), (1, 2), (0, 1)):
        (xa, ya), (xb, yb) = corners[first], corners[second]
        swap = ya > yb
        corners[first] = np.where(swap, xb, xa), np.where(swap, yb, ya)
        corners[second] = np.where(swap, xa, xb), np.where(swap, ya, yb)
    return corners


def _side(upper: tuple[np.ndarray, np.ndarray], lower: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """x = first + second * y along the side between two corners."""
    rise = lower[1] - upper[1]
    slope = (lower[0] - upper[0]) / np.where(rise > 0, rise, 1.0)
    return upper[0] - slope * upper[1], slope


def _first(places: np.ndarray, size: int) -> Int[np.ndarray, " n"]:
    """The first texel whose center is not before a place."""
    return np.ceil(places - (0.5 + _EDGE)).clip(0, size).astype(np.int32)


def _last(places: np.ndarray, size: int) -> Int[np.ndarray, " n"]:
    """The last texel whose center is not beyond a place."""
    return np.floor(places - (0.5 - _EDGE)).clip(-1, size - 1).astype(np.int32)


def _steps(counts: Int[np.ndarray, " s"]) -> Int[np.ndarray, " n"]:
    """0, 1, ... within each of consecutive runs."""
    ends = np.cumsum(counts, dtype=np.int32)
    return np.arange(ends[-1] if len(ends) else 0, dtype=np.int32) - np.repeat(ends - counts, counts)


def _barycentric(
    triangles: Float[np.ndarray, "f 3 2"], face: Int[np.ndarray, " n"], x: np.ndarray, y: np.ndarray
) -> Float[np.ndarray, "3 n"]:
    """Weights of the corners at points, -1 in triangles without area.

    Each is linear in x and y: coefficients per triangle, evaluated per point.
    """
    (ax, bx, cx), (ay, by, cy) = triangles.transpose(2, 1, 0)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    usable = np.abs(area) > 1e-12
    scale = np.where(usable, 1.0 / np.where(usable, area, 1.0), np.nan)
    dx, dy = x - ax[face], y - ay[face]
    second = dx * ((cy - ay) * scale)[face] - dy * ((cx - ax) * scale)[face]
    third = dy * ((bx - ax) * scale)[face] - dx * ((by - ay) * scale)[face]
    return np.nan_to_num(np.stack([1.0 - second - third, second, third]), copy=False, nan=-1.0)
