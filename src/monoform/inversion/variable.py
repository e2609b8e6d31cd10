"""Variables, options and results of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ..errors import InputError
from ..training.schedule import Schedule

Stopped = Literal["steps", "patience", "asked", "nonfinite"]


@dataclass(frozen=True, eq=False)
class Variable:
    """One tensor that is fitted, or a constant that goes with its hypothesis.

    Attributes:
        name: by which the loss finds it.
        value: where it starts; never written to.
        rate: Adam's step length at full rate, in the unit of the value; 0 for a constant.
        schedule: factor on the rate at each step; the fit's own where there is none.
        shared: all hypotheses have one value, given without their axis, which follows the sum of their gradients; the
            loss sees it once for each. Else each has its own.
    """

    name: str
    value: Tensor
    rate: float
    schedule: Schedule | None = None
    shared: bool = False


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit found; where hypotheses were fitted, their axis b is there, else it is not.

    Attributes:
        values: the variables, by name, outside any graph; a shared one as it was when each hypothesis was at its best.
        history: each term, and their sum under "total", at every step that was measured: float64 (steps, b), NaN where
            a hypothesis was no longer there or the term was not.
        best_loss: the lowest finite total, float64 (b); infinity if there was none.
        best_step: at which step it was measured (0: before any update), int64 (b); -1 if there was none.
        nonfinite: whether this hypothesis ended with a loss or a gradient that was NaN or infinite, bool (b).
        stopped: "steps" when all steps were done, "patience", "asked" by `on_step`, or "nonfinite" when no
            hypothesis was left with finite numbers.
        seconds: what it took.
    """

    values: dict[str, Tensor]
    history: dict[str, Tensor]
    best_loss: Tensor
    best_step: Tensor
    nonfinite: Tensor
    stopped: Stopped
    seconds: float

    def winner(self) -> dict[str, Tensor]:
        """The values of the hypothesis with the lowest loss, without the axis of hypotheses."""
        if self.best_loss.ndim == 0:
            return self.values
        best = int(self.best_loss.argmin())
        return {name: value[best] for name, value in self.values.items()}


def check_variables(variables: Sequence[Variable], steps: int, hypotheses: bool, prune: Mapping[int, int]) -> None:
    """Compare what is asked of a fit.

    Raises:
        InputError: there is nothing to fit, or names or shapes do not agree.
    """
    names = [variable.name for variable in variables]
    if len(set(names)) < len(names):
        raise InputError(f"Two variables of the fit share a name ({', '.join(names)}); give each its own.")
    if not any(variable.rate for variable in variables):
        raise InputError("The fit has no variable with a rate above 0: there is nothing to fit.")
    if steps < 0:
        raise InputError(f"The fit has steps = {steps}; give 0 or more.")
    for variable in variables:
        if variable.rate < 0 or (variable.rate and not variable.value.is_floating_point()):
            raise InputError(
                f"Variable {variable.name!r} has rate {variable.rate} and type {variable.value.dtype}; "
                "what is fitted is of floating point and has a rate above 0."
            )
    if any(variable.shared for variable in variables) and (not hypotheses or all(v.shared for v in variables)):
        raise InputError("A shared variable needs hypotheses=True and a variable that each hypothesis has of its own.")
    if hypotheses:
        lengths = {v.name: len(v.value) if v.value.ndim else 0 for v in variables if not v.shared}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise InputError(f"First axes differ among the variables ({lengths}); each must count the hypotheses.")
    if prune and (not hypotheses or min(prune.values()) < 1):
        raise InputError(f"prune is {dict(prune)}; it needs hypotheses=True and must leave at least one.")
