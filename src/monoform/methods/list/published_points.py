"""Point-set metrics under the names and factors of a published evaluation (LIST, Arshad and Beksi 2023).

There, completeness is the mean distance from ground truth to prediction, and "precision" counts ground-truth points:
a recall in the usual words of `shape.py`. Both counts are divided by the number of predicted points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ...metrics.arrays import Array
from ...metrics.shape import nearest

THRESHOLDS = (0.005, 0.01, 0.05)


def published_point_metrics(
    prediction: Float[Array, "n 3"], truth: Float[Array, "m 3"], thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, float]:
    """completeness, accuracy, their squared versions, chamfer_l2, and precision_t, recall_t, fscore_t.

    t in a name is 100 times the threshold, as in "precision_0.5" for 0.005.
    """
    completeness, _ = nearest(truth, prediction)
    accuracy, _ = nearest(prediction, truth)
    metrics = {
        "completeness": completeness.mean(),
        "accuracy": accuracy.mean(),
        "completeness2": (completeness**2).mean(),
        "accuracy2": (accuracy**2).mean(),
    }
    metrics["chamfer_l2"] = 10000 * 0.5 * (metrics["completeness2"] + metrics["accuracy2"])
    for threshold in thresholds:
        label = f"{round(100 * threshold, 6)!r}"
        p = np.count_nonzero(completeness < threshold) / len(prediction)
        r = np.count_nonzero(accuracy < threshold) / len(prediction)
        metrics |= {
            f"precision_{label}": p,
            f"recall_{label}": r,
            f"fscore_{label}": 2 * p * r / (p + r + 1e-5),
        }
    return {name: float(value) for name, value in metrics.items()}


def rescaled_as_published(
    vertices: Float[np.ndarray, "v 3"], nodes: int, half_side: float = 0.5
) -> Float[np.ndarray, "v 3"]:
    """Vertices of the box as the original writes them: stretched so that the smallest coordinate of all lies at
    -half_side, which is where they belong only if the surface touches both ends of the grid.

    Up to ten vertices stay in node units, as there.
    """
    raw = (vertices + half_side) * ((nodes - 1) / (2 * half_side))
    if len(raw) <= 10:
        return raw
    return (raw - raw.min()) / raw.max() * (2 * half_side) - half_side
