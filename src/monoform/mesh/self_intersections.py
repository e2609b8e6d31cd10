"""Where a surface passes through itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from .mesh import Mesh

AT_ONCE = 1 << 20  # pairs of faces
MARGIN = 1e-9  # of a face, and of an edge: what only touches does not cross


def intersecting_faces(mesh: Mesh) -> Bool[np.ndarray, " f"]:
    """Which faces are crossed by another one, or cross it, that shares no position with them.

    Two triangles cross where an edge of one passes through the inside of the other. Faces that lie in one plane, and
    those that only touch, do not count.
    """
    merged = mesh.merged()
    found = np.zeros(len(merged.faces), bool)
    for first, second in _near_pairs(merged.triangles):
        apart = ~(merged.faces[first][:, :, None] == merged.faces[second][:, None, :]).any((1, 2))
        first, second = first[apart], second[apart]
        crossing = _cross(merged.triangles[first], merged.triangles[second])
        found[first[crossing]] = found[second[crossing]] = True
    return found


def _near_pairs(triangles: Float[np.ndarray, "f 3 3"]) -> Iterator[tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]]:
    """Pairs of faces whose boxes meet, each once, some at a time."""
    low, high = triangles.min(axis=1), triangles.max(axis=1)
    centers = 0.5 * (low + high)
    radii = 0.5 * np.linalg.norm(high - low, axis=1)
    # Faces of about one size stand in one tree: a few large ones do not make all look far around them.
    sizes = np.floor(np.log2(np.maximum(radii, 1e-12))).astype(int)
    trees = {size: (np.flatnonzero(sizes == size), cKDTree(centers[sizes == size])) for size in np.unique(sizes)}
    for size, (own, _) in trees.items():
        for other, (members, tree) in trees.items():
            if other > size:
                continue
            reach = radii[members].max()
            for some in np.array_split(own, max(1, len(own) // 2048)):
                lists = tree.query_ball_point(centers[some], radii[some] + reach)
                first = np.repeat(some, [len(each) for each in lists])
                second = members[np.concatenate([np.asarray(each, int) for each in lists])] if len(first) else first
                for start in range(0, len(first), AT_ONCE):
                    one, two = first[start : start + AT_ONCE], second[start : start + AT_ONCE]
                    meet = ((low[one] <= high[two]) & (low[two] <= high[one])).all(axis=1)
                    meet &= (one < two) if other == size else True
                    yield one[meet], two[meet]


def _cross(first: Float[np.ndarray, "p 3 3"], second: Float[np.ndarray, "p 3 3"]) -> Bool[np.ndarray, " p"]:
    found = np.zeros(len(first), bool)
    for edges, faces in ((first, second), (second, first)):
        for corner in range(3):
            found |= _passes(edges[:, corner], edges[:, (corner + 1) % 3], faces)
    return found


def _passes(
    start: Float[np.ndarray, "p 3"], end: Float[np.ndarray, "p 3"], faces: Float[np.ndarray, "p 3 3"]
) -> Bool[np.ndarray, " p"]:
    """Whether a segment passes through the inside of a triangle (Moeller and Trumbore 1997)."""
    way, along, across = end - start, faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]
    normal = np.cross(way, across)
    determinant = (along * normal).sum(-1)
    scale = np.linalg.norm(way, axis=1) * np.linalg.norm(along, axis=1) * np.linalg.norm(across, axis=1)
    parallel = np.abs(determinant) <= MARGIN * scale
    inverse = 1.0 / np.where(parallel, 1.0, determinant)
    offset = start - faces[:, 0]
    u = (offset * normal).sum(-1) * inverse
    turned = np.cross(offset, along)
    v = (way * turned).sum(-1) * inverse
    t = (across * turned).sum(-1) * inverse
    inside = (u > MARGIN) & (v > MARGIN) & (u + v < 1 - MARGIN) & (t > MARGIN) & (t < 1 - MARGIN)
    return inside & ~parallel
