"""Polygons into triangles: concave ones by cutting off ears, so that nothing is filled that lies outside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ...errors import InputError

_MOST_CORNERS = 5_000  # ears are looked for in a time that grows with the square of the corners
_MOST_LOOKS = 200  # for each corner
_CHUNK = 1 << 20


def triangulate(
    vertices: Float[np.ndarray, "v 3"], corners: Int[np.ndarray, " c"], counts: Int[np.ndarray, " p"]
) -> tuple[Int[np.ndarray, "f 3"], Int[np.ndarray, " f"]]:
    """Triangles of polygons, as numbers of corners, and the polygon of each.

    Args:
        corners: the vertices of all polygons, one polygon after the other.
        counts: how many corners each polygon has; those with fewer than three are left out.

    Raises:
        InputError: a polygon has too many corners.
    """
    counts = np.asarray(counts, np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else counts
    triangles, owners = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for count in np.unique(counts[counts >= 3]).tolist():
        which = np.flatnonzero(counts == count)
        indices = starts[which, None] + np.arange(count)
        found = _same_count(vertices, corners, indices)
        triangles.append(found.reshape(-1, 3))
        owners.append(np.repeat(which, count - 2))
    faces, owner = np.concatenate(triangles), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return faces[order], owner[order]


def _same_count(vertices: np.ndarray, corners: np.ndarray, indices: Int[np.ndarray, "p n"]) -> Int[np.ndarray, "p t 3"]:
    """Triangles of polygons that all have n corners: fans where that is right, else ears."""
    count = indices.shape[1]
    fan = np.stack([np.zeros(count - 2, np.int64), np.arange(1, count - 1), np.arange(2, count)], axis=1)
    triangles = indices[:, fan]
    if count == 3:
        return triangles
    step = max(1, _CHUNK // count)
    for start in range(0, len(indices), step):
        fits = _fans_fit(vertices[corners[indices[start : start + step]]])
        for number in start + np.flatnonzero(~fits):
            triangles[number] = indices[number][_ears(_flattened(vertices[corners[indices[number]]]))]
    return triangles


def _fans_fit(points: Float[np.ndarray, "p n 3"]) -> Bool[np.ndarray, " p"]:
    """Which polygons a fan from the first corner covers: the normals of its triangles all agree with the polygon's."""
    rays = points[:, 1:] - points[:, :1]
    crosses = np.cross(rays[:, :-1], rays[:, 1:])
    normal = crosses.sum(axis=1, keepdims=True)
    along = (crosses * normal).sum(axis=-1)
    same_way = (along >= -1e-9 * (normal * normal).sum(axis=-1)).all(axis=1)
    turn = np.einsum("pnk,pnk->pn", rays[:, :-1], rays[:, 1:])
    angle = np.arctan2(np.linalg.norm(crosses, axis=-1), turn).sum(axis=1)
    return same_way & (angle < 2 * np.pi)


def _flattened(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """A polygon seen along its mean normal (Newell's), counter-clockwise."""
    following = np.roll(points, -1, axis=0)
    normal = np.cross(points - points[0], following - points[0]).sum(axis=0)
    length = np.linalg.norm(normal)
    normal = normal / length if length > 0 else np.array([0.0, 0, 1])
    helper = np.eye(3)[np.abs(normal).argmin()]
    across = np.cross(helper, normal)
    across /= np.linalg.norm(across)
    return np.stack([points @ across, points @ np.cross(normal, across)], axis=1)


def _ears(points: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "t 3"]:
    """Ear clipping; what has no ear any more (the outline crosses itself) becomes a fan."""
    if len(points) > _MOST_CORNERS:
        raise InputError(f"a face has {len(points)} corners, up to {_MOST_CORNERS} are read; triangulate it first.")
    left = list(range(len(points)))
    triangles = []
    at, missed, looked = 0, 0, 0
    while len(left) > 3 and missed < len(left):
        at %= len(left)
        corner = left[at - 1], left[at], left[(at + 1) % len(left)]
        if _is_ear(points, left, *corner):
            triangles.append(corner)
            del left[at]
            missed = 0
            at += 1  # not the neighbour at once: that would make long thin fans
        else:
            at, missed = at + 1, missed + 1
        looked += 1
        if looked > _MOST_LOOKS * len(points):
            raise InputError(f"a face of {len(points)} corners is too winding; triangulate it first.")
    triangles += [(left[0], left[k], left[k + 1]) for k in range(1, len(left) - 1)]
    return np.array(triangles, np.int64)


def _is_ear(points: np.ndarray, left: list[int], a: int, b: int, c: int) -> bool:
    """Whether b sticks out and no other corner lies in the triangle a, b, c."""
    p, q, r = points[a], points[b], points[c]
    if _turn(p, q, r) <= 0:
        return False
    others = points[left]
    inside = (_sides(p, q, others) >= 0) & (_sides(q, r, others) >= 0) & (_sides(r, p, others) >= 0)
    at_corner = np.zeros(len(others), bool)
    for corner in (p, q, r):  # corners may share a position where a hole is joined to the outline
        at_corner |= (others == corner).all(axis=1)
    return not (inside & ~at_corner).any()


def _turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
    return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))


def _sides(p: np.ndarray, q: np.ndarray, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Above zero to the left of the line from p to q."""
    return (q[0] - p[0]) * (points[:, 1] - p[1]) - (q[1] - p[1]) * (points[:, 0] - p[0])
