"""Edges of triangles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int


def directed_edges(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "e 2"]:
    """The three edges of each face in its own direction; row i belongs to face i // 3."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


def directed_edge_keys(
    faces: Int[np.ndarray, "f 3"], vertex_count: int
) -> tuple[Int[np.ndarray, " e"], Int[np.ndarray, " e"]]:
    """One integer for each directed edge, and that of the same edge walked backwards."""
    start, end = directed_edges(faces).T
    return start * vertex_count + end, end * vertex_count + start


def boundary_edges(faces: Int[np.ndarray, "f 3"], vertex_count: int) -> Bool[np.ndarray, " e"]:
    """Which directed edges have no partner in the opposite direction."""
    forward, backward = directed_edge_keys(faces, vertex_count)
    return ~np.isin(forward, backward)


def adjacent_faces(faces: Int[np.ndarray, "f 3"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Pairs of faces that share an edge."""
    undirected = np.minimum(*directed_edge_keys(faces, int(faces.max()) + 1))
    order = np.argsort(undirected, kind="stable")
    same = undirected[order[1:]] == undirected[order[:-1]]
    return order[:-1][same] // 3, order[1:][same] // 3
