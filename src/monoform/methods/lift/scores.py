"""Figures of one answer: shape after alignment, volume, and pictures from unseen sides."""

from __future__ import annotations

import numpy as np

from ...metrics import psnr, ssim
from ...metrics.alignment import aligned, apply, shape_scores
from .answers import Answer
from .truth import Truth, unseen_pictures

MEASURES = ("f_0.05", "f_0.1", "chamfer", "iou", "psnr", "ssim")


def scores(answer: Answer | None, truth: Truth, view: int) -> dict[str, float]:
    """All measures of an answer; of none at all: no overlap, one point at the truth's centre, empty pictures."""
    if answer is None:
        center = np.repeat(truth.points.mean(0)[None], 2, axis=0)
        empty = np.ones((*truth.pictures.shape[:3], 3), np.float32)
        return shape_scores(center, truth.points) | {"iou": 0.0} | picture_scores(empty, truth) | {"seconds": 0.0}
    truth_from_answer = truth.world_from_camera[view].astype(np.float64) @ answer.camera.camera_from_world[0].numpy()
    moved = apply(truth_from_answer, answer.points)
    truth_from_answer = aligned(moved, truth.points) @ truth_from_answer
    return {
        **shape_scores(apply(truth_from_answer, answer.points), truth.points),
        "iou": volume_overlap(answer, truth, truth_from_answer),
        **picture_scores(unseen_pictures(answer.mesh.transformed(truth_from_answer)), truth),
        "seconds": answer.seconds,
    }


def volume_overlap(answer: Answer, truth: Truth, truth_from_answer: np.ndarray) -> float:
    """Volumetric IoU: what both hold by the truth's probes, over both volumes less that."""
    shared = truth.inside & answer.contains(apply(np.linalg.inv(truth_from_answer), truth.probes))
    common = float(shared.mean() * np.prod(np.ptp(truth.probes, axis=0)))
    own = max(answer.volume, 0.0) * float(np.linalg.det(truth_from_answer[:3, :3]))
    return float(common / max(truth.volume + own - common, common, 1e-12))


def picture_scores(pictures: np.ndarray, truth: Truth) -> dict[str, float]:
    """Mean PSNR and SSIM over the unseen sides."""
    pairs = list(zip(pictures, truth.pictures.astype(np.float32) / 255, strict=True))
    return {
        "psnr": float(np.mean([psnr(ours, true) for ours, true in pairs])),
        "ssim": float(np.mean([ssim(ours, true) for ours, true in pairs])),
    }
