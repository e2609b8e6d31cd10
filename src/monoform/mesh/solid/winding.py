"""How often a surface goes around a point: 1 inside a closed one, 0 outside, parts of it near open ones."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from .. import Mesh, sample_surface

_PAIRS = 1 << 22  # point and triangle pairs at a time
_AT_ONCE = 64  # points whose distances to all samples stay in the processor's cache


def winding_number(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """How often the surface goes around each point (Jacobson et al. 2013, equation 5; solid angles by Van Oosterom and
    Strackee 1983): every triangle for every point."""
    result = np.zeros(len(points))
    triangles = mesh.triangles
    step = max(1, _PAIRS // max(len(triangles), 1))
    for start in range(0, len(points), step):
        corners = triangles[None] - points[start : start + step, None, None]
        a, b, c = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
        la, lb, lc = (np.linalg.norm(each, axis=-1) for each in (a, b, c))
        over = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
        under = la * lb * lc
        for first, second, length in ((a, b, lc), (b, c, la), (c, a, lb)):
            under = under + np.einsum("nfi,nfi->nf", first, second) * length
        result[start : start + step] = np.arctan2(over, under).sum(axis=1) / (2 * np.pi)
    return result


def dipole_winding_number(mesh: Mesh, points: Float[np.ndarray, "n 3"], *, samples: int) -> Float[np.ndarray, " n"]:
    """The same by as many surface samples as dipoles (Barill et al. 2018, equation 1): quicker, and good to a few
    percent away from the surface."""
    places, faces, _ = sample_surface(mesh, samples, seed=0)
    positions = places.astype(np.float32).T.copy()
    dipoles = (mesh.face_normals[faces] * (mesh.face_areas.sum() / len(faces))).astype(np.float32).T.copy()
    moment, squared = (positions * dipoles).sum(axis=0), (positions * positions).sum(axis=0)
    result = np.zeros(len(points))
    for start in range(0, len(points), _AT_ONCE):
        part = points[start : start + _AT_ONCE].astype(np.float32)
        # Products this narrow are quicker without BLAS and its threads.
        flux = moment - np.einsum("qk,ks->qs", part, dipoles)
        distance = np.einsum("qk,ks->qs", part, positions)
        distance *= -2
        distance += squared + (part * part).sum(axis=1)[:, None]
        np.maximum(distance, 1e-6, out=distance)
        distance *= np.sqrt(distance)
        result[start : start + _AT_ONCE] = (flux / distance).sum(axis=1) / (4.0 * math.pi)
    return result
