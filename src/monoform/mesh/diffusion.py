"""Values that are known on a part of a surface, continued smoothly over the rest of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu

from .mesh import Mesh

_CLOSE = 0.01  # length over which known values are smoothed, against the surface's extent
_STIFFEST, _SOFTEST = 10.0, 0.05  # weights of edges


def diffused(
    mesh: Mesh,
    known: Float[np.ndarray, "v c"],
    weight: Float[np.ndarray, " v"],
    guess: Float[np.ndarray, "v c"],
    reach: float,
) -> Float[np.ndarray, "v c"]:
    """Values on all vertices of a welded mesh: smooth, near `known` where its weight is 1, elsewhere drawn to `guess`.

    Of `guess` only what is larger than `reach` comes through (a screened Poisson equation on the surface).

    Args:
        weight: how much is known of each vertex, 0..1.
        reach: length in units of the mesh over which known values go on.
    """
    extent = float(np.linalg.norm(mesh.bounds[1] - mesh.bounds[0]))
    thirds = np.bincount(mesh.faces.reshape(-1), np.repeat(mesh.face_areas / 3, 3), len(mesh.vertices))
    area = thirds + 1e-9 * extent**2
    tied, drawn = area * weight / (_CLOSE * extent) ** 2, area * (1 - weight) / reach**2
    system = csc_matrix(_laplacian(mesh) + diags(tied + drawn))
    asked = tied[:, None] * known + drawn[:, None] * guess
    return splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(asked)


def _laplacian(mesh: Mesh) -> csr_matrix:
    """The cotangent Laplacian (Pinkall and Polthier 1993), positive semidefinite, its weights kept positive."""
    corners = mesh.triangles
    rows, columns, weights = [], [], []
    for at in range(3):
        a, b = (at + 1) % 3, (at + 2) % 3
        one, other = corners[:, a] - corners[:, at], corners[:, b] - corners[:, at]
        double_area = np.linalg.norm(np.cross(one, other), axis=1).clip(1e-300)
        rows.append(mesh.faces[:, a])
        columns.append(mesh.faces[:, b])
        weights.append((0.5 * (one * other).sum(axis=1) / double_area).clip(_SOFTEST, _STIFFEST))
    row, column, weight = (np.concatenate(each) for each in (rows, columns, weights))
    count = len(mesh.vertices)
    half = csr_matrix((weight, (row, column)), (count, count))
    edges = half + half.T
    return csr_matrix(diags(np.asarray(edges.sum(axis=1)).reshape(-1)) - edges)
