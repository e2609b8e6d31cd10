"""Figures of one answer: shape after alignment, volume, and pictures from unseen sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ...mesh.solid.alignment import aligned_points
from ...metrics import psnr, ssim
from ...metrics.alignment import aligned, apply, shape_scores
from ...metrics.feature_distance import FeatureDistance
from .answers import Answer
from .truth import Truth, reduced, unseen_pictures

MEASURES = ("f_0.05", "f_0.1", "chamfer", "iou", "psnr", "ssim")
SPAR3D = ("spar3d_cd", "spar3d_f_0.1", "spar3d_f_0.2", "spar3d_f_0.5")
Look = Callable[[Float[np.ndarray, "u p p 3"]], dict[str, float]]


def scores(answer: Answer | None, truth: Truth, view: int, look: Look | None = None) -> dict[str, float]:
    """All measures of an answer; of none at all: no overlap, one point at the truth's centre, empty pictures.

    Args:
        look: a further measure of the pictures from the unseen sides, see `perceptual`.
    """
    if answer is None:
        points, iou, seconds = np.repeat(truth.points.mean(0)[None], 2, axis=0), 0.0, 0.0
        pictures = np.ones(truth.pictures.shape, np.float32)
    else:
        placed = truth.world_from_camera[view].astype(np.float64) @ answer.camera.camera_from_world[0].numpy()
        placed = aligned(apply(placed, answer.points), truth.points) @ placed
        points, iou, seconds = apply(placed, answer.points), volume_overlap(answer, truth, placed), answer.seconds
        pictures = unseen_pictures(answer.mesh.transformed(placed))
    return {
        **shape_scores(points, truth.points),
        "iou": iou,
        **picture_scores(pictures, truth),
        **spar3d_scores(points, truth.points),
        **(look(pictures) if look is not None else {}),
        "seconds": seconds,
    }


def spar3d_scores(points: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """What SPAR3D (Huang et al. 2025, section 4) reports: Chamfer distance and F-scores at 0.1, 0.2 and 0.5.

    In the frame where the longest side of the reference's box is [-1, 1], the points aligned by the best of many turns
    and iterative closest points (`aligned_points`); the Chamfer distance is the mean of both directions. Which turns,
    and whether sizes are matched, the paper does not say: here they are.
    """
    if np.ptp(points, axis=0).any():  # a point has no turn
        points = aligned_points(points, reference)
    half = 0.5 * float(np.ptp(reference, axis=0).max())
    found = shape_scores(points, reference, radius=half, thresholds=(0.1, 0.2, 0.5))
    return dict(zip(SPAR3D, (found["chamfer"], found["f_0.1"], found["f_0.2"], found["f_0.5"]), strict=True))


def volume_overlap(answer: Answer, truth: Truth, truth_from_answer: np.ndarray) -> float:
    """Volumetric IoU: what both hold by the truth's probes, over both volumes less that."""
    shared = truth.inside & answer.contains(apply(np.linalg.inv(truth_from_answer), truth.probes))
    common = float(shared.mean() * np.prod(np.ptp(truth.probes, axis=0)))
    own = max(answer.volume, 0.0) * float(np.linalg.det(truth_from_answer[:3, :3]))
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
