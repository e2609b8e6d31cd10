"""Shapes without a common frame: brought together by a similarity, then compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float

from ..mesh.solid.alignment import similarity
from .shape import nearest

ROUNDS, MATCHED, SETTLED = 30, 2_000, 1e-4
STRAY_PERCENT, STRAY_FACTOR = 1.0, 1.5  # what a cloud may hold of points far from its object; how far, in radii


def apply(transform: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Points after an affine 4 x 4 transform."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def aligned(
    points: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "m 3"], *, placed: bool = False
) -> Float[np.ndarray, "4 4"]:
    """The similarity that iterative closest points find from the identity.

    Two thousand points of each side look for their nearest on the other (Besl and McKay 1992, both directions).

    Args:
        placed: the points have their place and size already; else centers and sizes are matched first.
    """
    scale, turn, shift = 1.0, np.eye(3), np.zeros(3)
    if not placed:
        spread = np.sqrt(((reference - reference.mean(0)) ** 2).sum(1).mean())
        scale = spread / np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())
        shift = reference.mean(0) - scale * points.mean(0)
    some, marks = points[:: max(1, len(points) // MATCHED)], reference[:: max(1, len(reference) // MATCHED)]
    own, other = scipy.spatial.cKDTree(points), scipy.spatial.cKDTree(reference)
    for _ in range(ROUNDS):
        there = other.query(scale * some @ turn.T + shift)[1]
        back = own.query((marks - shift) @ turn / scale)[1]
        before: tuple[Any, ...] = (scale, turn, shift)
        scale, turn, shift = similarity(np.r_[some, points[back]], np.r_[reference[there], marks])
        if max(np.abs(a - b).max() for a, b in zip(before, (scale, turn, shift), strict=True)) < SETTLED:
            break
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = scale * turn, shift
    return result


def without_strays(cloud: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "m 3"], float]:
    """A measured cloud without its stray points, and its radius, of which they have no part.

    The radius is that of the sphere around the middle of the box between the cloud's percentiles 1 and 99 of each axis,
    that holds 99 % of the points. Points farther than 1.5 radii from the middle are left out, then it is found again.
    """
    distances, radius = _sphere(cloud)
    kept = cloud[distances <= STRAY_FACTOR * radius]
    return kept, _sphere(kept)[1]


def _sphere(cloud: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " n"], float]:
    """Distances from the middle, and the radius."""
    low, high = np.percentile(cloud, (STRAY_PERCENT, 100 - STRAY_PERCENT), axis=0)
    distances = np.linalg.norm(cloud - 0.5 * (low + high), axis=1)
    return distances, float(np.percentile(distances, 100 - STRAY_PERCENT))


def shape_scores(
    points: Float[np.ndarray, "n 3"],
    reference: Float[np.ndarray, "m 3"],
    *,
    radius: float | None = None,
    thresholds: tuple[float, ...] = (0.05, 0.1),
) -> dict[str, float]:
    """F-scores and Chamfer-L1 in the unit of a radius.

    The same as `monoform.metrics.f_score` and `chamfer`, with each direction's nearest distances found once.

    Args:
        radius: by default that of the sphere around the reference's box.
        thresholds: of the F-scores.
    """
    if radius is None:
        radius = float(np.linalg.norm(reference - 0.5 * (reference.min(0) + reference.max(0)), axis=1).max())
    there, back = nearest(points, reference)[0] / radius, nearest(reference, points)[0] / radius
    result = {}
    for threshold in thresholds:
        precision, recall = float(np.mean(there < threshold)), float(np.mean(back < threshold))
        result[f"f_{threshold}"] = 2 * precision * recall / max(precision + recall, 1e-12)
    return result | {"chamfer": float(0.5 * (there.mean() + back.mean()))}
