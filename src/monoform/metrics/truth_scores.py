"""How near an answer comes to the truth of a shape: volume, and pictures from unseen sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .alignment import apply
from .feature_distance import FeatureDistance
from .image import psnr, ssim
from .shape_truth import Truth, reduced

Look = Callable[[Float[np.ndarray, "u p p 3"]], dict[str, float]]


def volume_overlap(
    contains: Callable[[np.ndarray], np.ndarray], volume: float, truth: Truth, truth_from_answer: np.ndarray
) -> float:
    """Volumetric IoU: what both hold by the truth's probes, over both volumes less that.

    Args:
        contains: whether points are inside the answer, in its own frame.
        volume: of the answer, in its own frame.
        truth_from_answer: similarity, 4 x 4.
    """
    shared = truth.inside & contains(apply(np.linalg.inv(truth_from_answer), truth.probes))
    common = float(shared.mean() * np.prod(np.ptp(truth.probes, axis=0)))
    own = max(volume, 0.0) * float(np.linalg.det(truth_from_answer[:3, :3]))
    return float(common / max(truth.volume + own - common, common, 1e-12))


def picture_scores(pictures: Float[np.ndarray, "u p p 3"], truth: Truth) -> dict[str, float]:
    """Mean PSNR and SSIM over the unseen sides, of means over blocks of 2 x 2 pixels."""
    true = np.rint(reduced(truth.pictures)) / np.float32(255)
    pairs = list(zip(reduced(pictures), true, strict=True))
    return {
        "psnr": float(np.mean([psnr(ours, true) for ours, true in pairs])),
        "ssim": float(np.mean([ssim(ours, true) for ours, true in pairs])),
    }


def perceptual(distance: FeatureDistance, truth: Truth) -> Look:
    """A measure of pictures from the unseen sides: their mean perceptual distance to the true ones."""
    true = distance.features(truth.pictures)

    def look(pictures: Float[np.ndarray, "u p p 3"]) -> dict[str, float]:
        ours = distance.features(np.rint(255 * pictures).clip(0, 255).astype(np.uint8))
        return {distance.name: float(distance.between(ours, true).mean())}

    return look
