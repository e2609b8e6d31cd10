"""Guided filter (He et al. 2010): a mask that follows the edges of the photo."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float


def guided_filter(
    guide: Float[np.ndarray, "h w 3"], values: Float[np.ndarray, "h w"], *, radius: int, epsilon: float
) -> Float[np.ndarray, "h w"]:
    """`values` as a locally linear function of the guide's colours (He et al. 2010, eq. 14-16).

    Args:
        guide: colours, 0..1.
        values: what is filtered.
        radius: half side of the window in pixels.
        epsilon: variance in the guide below which it is treated as flat.
    """

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))

    guide64, values64 = guide.astype(np.float64), values.astype(np.float64)
    guide_mean, values_mean = mean(guide64), mean(values64)
    cross = mean(guide64 * values64[..., None]) - guide_mean * values_mean[..., None]
    products = (guide64[..., :, None] * guide64[..., None, :]).reshape(*guide.shape[:2], 9)
    second = np.concatenate([mean(products[..., :4]), mean(products[..., 4:8]), mean(products[..., 8:])[..., None]], -1)
    covariance = second.reshape(*guide.shape[:2], 3, 3) - guide_mean[..., :, None] * guide_mean[..., None, :]
    slope = np.linalg.solve(covariance + epsilon * np.eye(3), cross[..., None])[..., 0]
    offset = values_mean - (slope * guide_mean).sum(-1)
    return ((mean(slope) * guide64).sum(-1) + mean(offset)).astype(np.float32)
