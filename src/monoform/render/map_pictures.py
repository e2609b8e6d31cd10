"""Maps of numbers as pictures to look at."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def depth_picture(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Depth, inf where nothing is, as gray 0..1: near is white, far dark, nothing black."""
    hit = np.isfinite(depth)
    near, far = (depth[hit].min(), depth[hit].max()) if hit.any() else (0.0, 1.0)
    return np.where(hit, 1 - 0.9 * (np.where(hit, depth, far) - near) / max(far - near, 1e-6), 0)


def normals_picture(normals: Float[np.ndarray, "h w 3"], hit: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Unit vectors, 0..1 for -1..1, black where nothing is."""
    return np.where(hit[..., None], 0.5 + 0.5 * normals, 0)
