"""How LIST's release measures surfaces (Arshad and Beksi 2023): points, inside flags, and what else we add to it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ...errors import InputError
from ...mesh import Mesh, sample_surface
from ...metrics.overlap import volume_iou
from .published_inside import inside_published
from .published_points import published_point_metrics

POINTS, INSIDE_POINTS, FEWEST = 100_000, 1_000_000, 10
EMD_POINTS, MOST_EMD = 1024, 4096
FAILED_DISTANCE = 1.0  # longest side of an object: what a missing surface counts as being off by


def surface_metrics(
    prediction: Mesh | None,
    truth: Mesh,
    *,
    points: int = POINTS,
    inside_points: int = INSIDE_POINTS,
    emd_points: int = EMD_POINTS,
    seed: int = 0,
) -> dict[str, float]:
    """The published metrics of a surface in the unit box, and the earth mover's distance of a small set.

    A surface that is missing or has fewer than ten vertices counts as IoU and F-scores of 0 and distances of 1, the
    longest side; the original leaves it out of its means. "failed" is 1 for such a one.

    Args:
        points: drawn on each surface.
        inside_points: uniform in the box, for the IoU.
        emd_points: 0 for none.
    """
    reference = sample_surface(truth, points, seed=seed)[0]
    if prediction is None or len(prediction.vertices) < FEWEST:
        worst = _failed(emd_points > 0)
        return worst | {"failed": 1.0}
    found = sample_surface(prediction, points, seed=seed + 1)[0]
    metrics = published_point_metrics(found, reference)
    queries = np.random.default_rng(seed).uniform(-0.5, 0.5, (inside_points, 3)).astype(np.float32)
    metrics["iou"] = volume_iou(inside_published(prediction, queries).inside, inside_published(truth, queries).inside)
    if emd_points:
        some = np.random.default_rng(seed).permutation(points)[: min(emd_points, points)]
        metrics["emd"] = earth_movers_distance(found[some], reference[some])
    return metrics | {"failed": 0.0}


def earth_movers_distance(points: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "m 3"]) -> float:
    """Mean distance of the best one-to-one matching of two sets (Fan et al. 2017, equation 1), solved exactly.

    Raises:
        InputError: the sets are empty, of different sizes, or larger than can be matched exactly.
    """
    if not 0 < len(points) == len(reference) or len(points) > MOST_EMD:
        raise InputError(
            f"The earth mover's distance takes two sets of as many points, 1 to {MOST_EMD}; it got {len(points)} and "
            f"{len(reference)}."
        )
    gaps = cdist(points, reference)
    return float(gaps[linear_sum_assignment(gaps)].mean())


def _failed(emd: bool) -> dict[str, float]:
    worst = published_point_metrics(np.zeros((1, 3)), np.array([[FAILED_DISTANCE, 0.0, 0.0]]))
    return worst | {"iou": 0.0} | ({"emd": FAILED_DISTANCE} if emd else {})
