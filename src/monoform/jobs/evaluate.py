"""What can be evaluated: whatever the installed methods declare, and the poses that the job of that name finds."""

from __future__ import annotations

from ..methods import declared, method_class, method_names
from ..metrics.evaluation import Evaluation

OWN = "inerf"  # evaluated by a job: it finds photos in scenes of other methods, which no method may import


def evaluations() -> dict[str, Evaluation]:
    """All evaluations by the names that `monoform evaluate` calls them."""
    found = declared(lambda method: method.evaluation()) | {OWN: evaluation_of(OWN)}
    return {name: each for name, each in sorted(found.items()) if each is not None}


def evaluation_of(name: str) -> Evaluation | None:
    """The evaluation of one method, without loading the others; None where there is none."""
    if name == OWN:
        from .evaluate_poses import EVALUATION

        return EVALUATION
    return method_class(name).evaluation() if name in method_names() else None
