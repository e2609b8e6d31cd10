"""Intersection over union of masks and occupancies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from .arrays import Array


def mask_iou(mask: Bool[Array, "h w"], reference: Bool[Array, "h w"]) -> float:
    """Shared area of two masks over their joint area, 0..1; two empty masks agree."""
    return _overlap(np.asarray(mask), np.asarray(reference))


def volume_iou(occupancy: Bool[Array, "*shape"], reference: Bool[Array, "*shape"]) -> float:
    """Volumetric IoU, 0..1, from whether the same points lie inside two shapes (Mescheder et al. 2019, section 4).

    The points may be a grid or drawn uniformly from a box around both shapes; two empty shapes agree.
    """
    return _overlap(np.asarray(occupancy), np.asarray(reference))


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    union = int(np.count_nonzero(first | second))
    return 1.0 if union == 0 else int(np.count_nonzero(first & second)) / union
