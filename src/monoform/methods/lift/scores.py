"""Figures of one answer: shape after alignment, volume, and pictures from unseen sides."""

from __future__ import annotations

import numpy as np

from ...mesh.solid.alignment import aligned_points
from ...metrics.alignment import aligned, apply, shape_scores
from ...metrics.shape_truth import Truth, unseen_pictures
from ...metrics.truth_scores import Look, picture_scores, volume_overlap
from ..answers import Answer

MEASURES = ("f_0.05", "f_0.1", "chamfer", "iou", "psnr", "ssim")
SPAR3D = ("spar3d_cd", "spar3d_f_0.1", "spar3d_f_0.2", "spar3d_f_0.5")


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
        points, seconds = apply(placed, answer.points), answer.seconds
        iou = volume_overlap(answer.contains, answer.volume, truth, placed)
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
