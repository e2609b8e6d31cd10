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

    guide = guide.astype(np.float32) - guide.mean(axis=(0, 1), dtype=np.float32)  # small numbers: float32 is enough
    values = values.astype(np.float32)
    channels, means, values_mean = cv2.split(guide), cv2.split(mean(guide)), mean(values)
    cross = [mean(c * values) - m * values_mean for c, m in zip(channels, means, strict=True)]
    (rr, rg, rb), (_, gg, gb), (_, _, bb) = (
        [mean(channels[i] * channels[j]) - means[i] * means[j] + (epsilon if i == j else 0) for j in range(3)]
        for i in range(3)
    )
    cofactors = (
        (gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb),
        (gb * rb - rg * bb, rr * bb - rb * rb, rb * rg - rr * gb),
        (rg * gb - gg * rb, rb * rg - rr * gb, rr * gg - rg * rg),
    )
    determinant = rr * cofactors[0][0] + rg * cofactors[0][1] + rb * cofactors[0][2]
    slope = [sum(a * b for a, b in zip(row, cross, strict=True)) / determinant for row in cofactors]
    offset = values_mean - sum(a * m for a, m in zip(slope, means, strict=True))
    return sum((mean(a) * c for a, c in zip(slope, channels, strict=True)), start=mean(offset)).astype(np.float32)
