"""LIST's point metrics against golden cases."""

from __future__ import annotations

import numpy as np
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.methods.list.published_points import published_point_metrics


@check("list", "metrics_points")
def metrics_points(case: Case) -> None:
    """Thresholds are named by `names`: "precision_0.5" may be 0.005."""
    config, prediction = case.config, case.array("pred")
    config.one_of("chamfer_factor", 5000.0)
    config.one_of("fscore_eps", 1e-5)
    config.one_of("comparison", "strict")
    thresholds, labels = config["thresholds"], config["names"]
    for truth in case.names("gt_"):
        ours = published_point_metrics(prediction, case.array(truth), thresholds)
        for threshold, label in zip(thresholds, labels, strict=True):
            for kind in ("precision", "recall", "fscore"):
                ours[f"{kind}_{label}"] = ours.pop(f"{kind}_{round(100 * threshold, 6)!r}")
        group = truth.removeprefix("gt_")
        for name in case.names(f"{group}/"):
            case.compare(name, np.float64(ours[name.removeprefix(f"{group}/")]))
