"""Points spread evenly over a surface."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..errors import InputError
from .mesh import Mesh


def sample_surface(
    mesh: Mesh, count: int, *, seed: int
) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Points uniform by area, with the faces they lie on and their barycentric weights there.

    Stratified along the cumulated area, so that every face gets its share to within one point.

    Raises:
        InputError: the mesh has no area.
    """
    cumulated = np.cumsum(mesh.face_areas)
    if len(cumulated) == 0 or not cumulated[-1] > 0:
        raise InputError("A mesh without area cannot be sampled.")
    generator = np.random.default_rng(seed)
    quantiles = (np.arange(count) + generator.random(count)) / count * cumulated[-1]
    faces = np.minimum(np.searchsorted(cumulated, quantiles, side="right"), len(cumulated) - 1)
    # Uniform in a triangle (Osada et al. 2002, eq. 1).
    root, along = np.sqrt(generator.random(count)), generator.random(count)
    weights = np.stack((1 - root, root * (1 - along), root * along), axis=1)
    return np.einsum("nk,nkc->nc", weights, mesh.triangles[faces]), faces, weights
