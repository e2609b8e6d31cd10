"""LIST against its golden cases."""

from __future__ import annotations

import numpy as np
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.metrics import published_point_metrics

METRIC_TOLERANCE = 1e-6


@check("list", "metrics_points")
def metrics_points(case: Case) -> None:
    """The thresholds are in the names: "precision_0.5" is 0.005."""
    prediction = case.array("pred")
    for truth in [name for name in case.arrays if name.startswith("gt_")]:
        group = truth.removeprefix("gt_")
        names = [name.removeprefix(f"{group}/") for name in case.arrays if name.startswith(f"{group}/")]
        thresholds = [float(name.split("_")[1]) / 100 for name in names if name.startswith("precision_")]
        ours = published_point_metrics(prediction, case.array(truth), thresholds)
        for name in names:
            case.compare(f"{group}/{name}", np.float64(ours[name]), rtol=METRIC_TOLERANCE)
