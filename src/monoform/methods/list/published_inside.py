"""Inside tests and volumetric IoU as LIST's evaluation makes them (Arshad and Beksi 2023, with the inside test of
Mescheder et al. 2019): parity of crossings along an axis, turned where the two sides of a point disagree.

Published numbers hang on where this goes wrong, so it stands beside the exact test (`mesh.solid.winding`), not in its
place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ...mesh import Mesh

_CELLS = 512  # of the grid along a side in which the mesh is laid out
_PAIRS = 1 << 22  # point and triangle pairs at a time
_TURNS = ("y", "x", "z")


@dataclass(frozen=True, eq=False)
class InsideFlags:
    """Which points are inside, as the published program decides it.

    Attributes:
        inside: odd numbers of crossings on both sides.
        holes: points whose two sides disagree.
    """

    inside: Bool[np.ndarray, " n"]
    holes: Bool[np.ndarray, " n"]


def inside_along_z(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], points: Float[np.ndarray, "n 3"]
) -> InsideFlags:
    """Crossings of the line through each point along z, at triangles that hold it strictly; no point is inside
    that is further than half a cell outside the mesh's box."""
    triangles = vertices[faces].astype(np.float64)
    low, high = triangles.reshape(-1, 3).min(axis=0), triangles.reshape(-1, 3).max(axis=0)
    scale = (_CELLS - 1) / np.maximum(high - low, 1e-300)
    triangles = scale * (triangles - low) + 0.5
    queries = scale * (points.astype(np.float64) - low) + 0.5
    within = ((queries >= 0) & (queries <= _CELLS)).all(axis=1)
    above, below = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    rows = np.flatnonzero(within)
    for point, triangle in _meetings(queries[rows], triangles):
        depth, crossed = _depths(queries[rows[point]], triangles[triangle])
        is_above = depth >= queries[rows[point], 2]
        np.add.at(above, rows[point[crossed & is_above]], 1)
        np.add.at(below, rows[point[crossed & ~is_above]], 1)
    odd_above, odd_below = above % 2 == 1, below % 2 == 1
    return InsideFlags(odd_above & odd_below, odd_above ^ odd_below)


def inside_published(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> InsideFlags:
    """The test along z; points that it leaves open are asked again with everything turned by 90 degrees about y, then
    x, then z, each time only those still open, and the last answer holds."""
    vertices, queries = mesh.vertices, points.astype(np.float64)
    found = inside_along_z(vertices, mesh.faces, queries)
    inside, holes = found.inside.copy(), found.holes.copy()
    for axis in _TURNS:
        left = np.flatnonzero(holes)
        if len(left) == 0:
            break
        turn = _quarter_turn(axis)
        vertices, queries = vertices @ turn.T, queries @ turn.T
        again = inside_along_z(vertices, mesh.faces, queries[left])
        inside[left], holes[left] = again.inside, again.holes
    return InsideFlags(inside, holes)


def _quarter_turn(axis: str) -> Float[np.ndarray, "3 3"]:
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = 0.0
    turn[first, second], turn[second, first] = -1.0, 1.0
    return turn


def _meetings(queries: np.ndarray, triangles: np.ndarray):
    """Pairs of points and triangles that share a cell of the plane, some at a time."""
    low = np.clip(np.floor(triangles[..., :2].min(axis=1)), 0, _CELLS - 1).astype(np.int64)
    high = np.clip(np.floor(triangles[..., :2].max(axis=1)), 0, _CELLS - 1).astype(np.int64)
    spans = high - low + 1
    counts = spans.prod(axis=1)
    owner = np.repeat(np.arange(len(triangles)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    cell = (low[owner, 0] + number // spans[owner, 1]) * _CELLS + low[owner, 1] + number % spans[owner, 1]
    order = np.argsort(cell, kind="stable")
    cell, owner = cell[order], owner[order]
    column, row = np.clip(np.floor(queries[:, :2]), 0, _CELLS - 1).astype(np.int64).T
    start = np.searchsorted(cell, column * _CELLS + row, side="left")
    many = np.searchsorted(cell, column * _CELLS + row, side="right") - start
    ends = np.cumsum(many)
    begin = 0
    while begin < len(queries):
        stop = max(begin + 1, int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + _PAIRS, side="right")))
        part = many[begin:stop]
        point = np.repeat(np.arange(begin, stop), part)
        within = np.arange(len(point)) - np.repeat(np.cumsum(part) - part, part)
        yield point, owner[start[point] + within]
        begin = stop


def _depths(queries: np.ndarray, triangles: np.ndarray) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Where the line through each point meets its triangle, and whether strictly within it."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    first, second, to = (b - a)[:, :2], (c - a)[:, :2], queries[:, :2] - a[:, :2]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    usable = np.abs(area) > 1e-12
    area = np.where(usable, area, 1.0)
    u = (to[:, 0] * second[:, 1] - to[:, 1] * second[:, 0]) / area
    v = (first[:, 0] * to[:, 1] - first[:, 1] * to[:, 0]) / area
    strictly = usable & (u > 0) & (v > 0) & (u + v < 1)
    return a[:, 2] + u * (b - a)[:, 2] + v * (c - a)[:, 2], strictly
