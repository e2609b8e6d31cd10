"""Vertex normals that are smooth across faces and sharp at creases."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .edges import directed_edge_keys


def corner_normals(
    faces: Int[np.ndarray, "f 3"],
    normals: Float[np.ndarray, "f 3"],
    areas: Float[np.ndarray, " f"],
    *,
    crease: float = math.radians(40.0),
) -> Float[np.ndarray, "f 3 3"]:
    """Unit normals at the corners of each face, averaged by area over the faces that join smoothly there.

    Faces join smoothly over an edge where their normals differ by less than `crease` (radians).

    Args:
        faces: of a mesh with one vertex for each position.
        normals: of the faces.
        areas: of the faces.
    """
    if len(faces) == 0:
        return np.zeros((0, 3, 3))
    forward, backward = directed_edge_keys(faces, int(faces.max()) + 1)
    order = np.argsort(np.minimum(forward, backward), kind="stable")
    first, second = order[:-1], order[1:]
    meet = forward[first] == backward[second]
    first, second = first[meet], second[meet]
    smooth = np.einsum("ij,ij->i", normals[first // 3], normals[second // 3]) > math.cos(crease)
    first, second = first[smooth], second[smooth]
    # Edges are named by the corner they start at; the neighbour's edge runs the other way.
    first_end, second_end = (3 * (edge // 3) + (edge + 1) % 3 for edge in (first, second))
    rows, columns = np.concatenate([first, first_end]), np.concatenate([second_end, second])
    count = 3 * len(faces)
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    groups, group = connected_components(graph, directed=False)
    weighted = np.repeat(normals * areas[:, None], 3, axis=0)
    sums = np.stack([np.bincount(group, weights=weighted[:, axis], minlength=groups) for axis in range(3)], axis=1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(length > 0, length, 1.0))[group].reshape(-1, 3, 3)
