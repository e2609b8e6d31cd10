"""Figures of one answer: shape after alignment, volume, and pictures from unseen sides."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...mesh.solid.alignment import similarity
from ...metrics import nearest, psnr, ssim
from .answers import Answer
from .truth import Truth, unseen_pictures

MEASURES = ("f_0.05", "f_0.1", "chamfer", "iou", "psnr", "ssim")
ROUNDS, MATCHED, SETTLED = 30, 2_000, 1e-4


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


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points after an affine 4 x 4 transform."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def aligned(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The similarity, 4 x 4, that iterative closest points find from the identity, centres and sizes matched first.

    Two thousand points of each side look for their nearest on the other (Besl and McKay 1992, both directions).
    """
    spread = np.sqrt(((reference - reference.mean(0)) ** 2).sum(1).mean())
    scale = spread / np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())
    turn, shift = np.eye(3), reference.mean(0) - scale * points.mean(0)
    some, marks = points[:: max(1, len(points) // MATCHED)], reference[:: max(1, len(reference) // MATCHED)]
    own, other = cKDTree(points), cKDTree(reference)
    for _ in range(ROUNDS):
        there = other.query(scale * some @ turn.T + shift)[1]
        back = own.query((marks - shift) @ turn / scale)[1]
        before = (scale, turn, shift)
        scale, turn, shift = similarity(np.r_[some, points[back]], np.r_[reference[there], marks])
        if max(np.abs(a - b).max() for a, b in zip(before, (scale, turn, shift), strict=True)) < SETTLED:
            break
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = scale * turn, shift
    return result


def shape_scores(points: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """F-scores and Chamfer-L1 in the frame where the sphere around the reference's box has radius 1.

    The same as `monoform.metrics.f_score` and `chamfer`, with each direction's nearest distances found once.
    """
    center = 0.5 * (reference.min(0) + reference.max(0))
    radius = np.linalg.norm(reference - center, axis=1).max()
    there, back = nearest(points, reference)[0] / radius, nearest(reference, points)[0] / radius
    result = {}
    for threshold in (0.05, 0.1):
        precision, recall = np.mean(there < threshold), np.mean(back < threshold)
        result[f"f_{threshold}"] = float(2 * precision * recall / max(precision + recall, 1e-12))
    return result | {"chamfer": float(0.5 * (there.mean() + back.mean()))}


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
