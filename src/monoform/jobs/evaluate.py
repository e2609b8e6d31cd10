"""What can be evaluated: what installed methods declare, and what jobs measure: poses, pictures, shapes, results."""

from __future__ import annotations

from ..methods import declared, method_class, method_names
from ..metrics.evaluation import Evaluation

OWN = (
    "inerf",
    "pictures",
    "realfusion",
    "shape",
)  # evaluated by jobs: they look at scenes and results of other methods


def evaluations() -> dict[str, Evaluation]:
    """All evaluations by the names that `monoform evaluate` calls them."""
    found = declared(lambda method: method.evaluation()) | {name: evaluation_of(name) for name in OWN}
    return {name: each for name, each in sorted(found.items()) if each is not None}


def evaluation_of(name: str) -> Evaluation | None:
    """The evaluation of one method, without loading the others; None where there is none."""
    if name == "inerf":
        from .evaluate_poses import EVALUATION as POSES

        return POSES
    if name == "pictures":
        from .evaluate_pictures import EVALUATION as PICTURES

        return PICTURES
    if name == "realfusion":
        from .evaluate_results import EVALUATION as RESULTS

        return RESULTS
    if name == "shape":
        from .shape.evaluate import EVALUATION as SHAPES

        return SHAPES
    return method_class(name).evaluation() if name in method_names() else None
