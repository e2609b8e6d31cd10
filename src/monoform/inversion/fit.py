"""The fitting engine: named variables, a loss, Adam, and the best that was met."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from ..training import Constant
from ..training.schedule import Schedule
from .adam import Adam, clipped

Loss = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
OnStep = Callable[[int, Mapping[str, Tensor]], bool | None]


@dataclass(frozen=True, eq=False)
class Variable:
    """One tensor that is fitted, or a constant that goes with its hypothesis.

    Attributes:
        name: by which the loss finds it.
        value: where it starts; never written to.
        rate: Adam's step length at full rate, in the unit of the value; 0 for a constant.
        schedule: factor on the rate at each step; the fit's own where there is none.
    """

    name: str
    value: Tensor
    rate: float
    schedule: Schedule | None = None


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit found; where hypotheses were fitted, their axis b is there, else it is not.

    Attributes:
        values: the variables, by name, outside any graph.
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
    stopped: Literal["steps", "patience", "asked", "nonfinite"]
    seconds: float

    def winner(self) -> dict[str, Tensor]:
        """The values of the hypothesis with the lowest loss, without the axis of hypotheses."""
        if self.best_loss.ndim == 0:
            return self.values
        best = int(self.best_loss.argmin())
        return {name: value[best] for name, value in self.values.items()}


def fit(
    variables: Sequence[Variable],
    loss: Loss,
    *,
    steps: int,
    schedule: Schedule | None = None,
    hypotheses: bool = False,
    prune: Mapping[int, int] | None = None,
    keep: Literal["best", "last"] = "best",
    clip: float | None = None,
    patience: int | None = None,
    tolerance: float = 1e-4,
    on_step: OnStep | None = None,
) -> FitResult:
    """Move the variables down the loss with Adam; deterministic where the loss is.

    Works under `torch.no_grad` and `torch.inference_mode` as well; tensors that were made in inference mode and that
    the loss needs for its gradient must go through `trackable` first.

    Args:
        loss: from the variables' present values and the step, terms by name, already weighted; what is minimised is
            their sum. Each term is one number, or one for each hypothesis that is left. It must not mix hypotheses.
        steps: number of updates. The values after the last one are measured too.
        schedule: factor on the rates at each step, for example `monoform.training.Cosine(steps)`; constant by default.
        hypotheses: whether the first axis of every variable counts starts that are fitted side by side.
        prune: at which steps only how many hypotheses go on, those with the lowest best loss so far.
        keep: the values of the lowest total, or of the last finite one (where the loss is random from step to step).
        clip: largest norm of a hypothesis' gradient over all variables.
        patience: end when no hypothesis has improved by the share `tolerance` of its loss for so many steps.
        on_step: is told the step and its terms, as in the history; the fit ends when it returns True.

    Raises:
        InputError: there is nothing to fit, names or shapes do not agree, or the loss depends on no variable.
    """
    _check(variables, steps, hypotheses, prune or {})
    began = time.perf_counter()
    stopped: Literal["steps", "patience", "asked", "nonfinite"] = "steps"
    with torch.inference_mode(False), torch.enable_grad():
        run = _Run(variables, hypotheses, keep, schedule or Constant(), tolerance)
        for step in range(steps + 1):
            total = run.measure(loss, step)
            if on_step is not None and on_step(step, run.shaped(run.history[-1])):
                stopped = "asked"
                break
            gradients = run.gradients(total) if step < steps else {}
            gradients = run.without_nonfinite(total, gradients)
            if len(run.active) == 0:
                stopped = "nonfinite"
                break
            if patience is not None and step - int(run.gain_step[run.active].max()) >= patience:
                stopped = "patience"
                break
            if prune and step in prune:
                gradients = run.pruned(prune[step], gradients)
            if step < steps:
                run.move(gradients if clip is None else clipped(gradients, clip), step)
    return run.result(stopped, time.perf_counter() - began)


def trackable(tensor: Tensor) -> Tensor:
    """The tensor itself, or a copy that autograd can use where it was made in inference mode."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False):
        return tensor.clone()


class _Run:
    """The state of a fit; inside, there always is an axis of hypotheses, if only of length 1."""

    def __init__(
        self, variables: Sequence[Variable], hypotheses: bool, keep: str, schedule: Schedule, tolerance: float
    ) -> None:
        self.variables, self.hypotheses, self.keep = variables, hypotheses, keep
        self.schedule, self.tolerance = schedule, tolerance
        starts = {v.name: v.value.detach().clone() for v in variables}
        self.values = starts if hypotheses else {name: value[None] for name, value in starts.items()}
        self.kept = {name: value.clone() for name, value in self.values.items()}
        self.count = len(self.values[variables[0].name])
        self.active = torch.arange(self.count)
        self.best_loss = torch.full((self.count,), torch.inf, dtype=torch.float64)
        self.best_step = torch.full((self.count,), -1)
        self.gain_loss, self.gain_step = self.best_loss.clone(), torch.zeros_like(self.best_step)
        self.nonfinite = torch.zeros(self.count, dtype=torch.bool)
        self.history: list[dict[str, Tensor]] = []
        self.adam = Adam()

    def measure(self, loss: Loss, step: int) -> Tensor:
        """The totals of the active hypotheses, in their graph; history and the best are brought up to date."""
        for variable in self.variables:
            if variable.rate:
                self.values[variable.name].requires_grad_()
        terms = loss({name: v if self.hypotheses else v[0] for name, v in self.values.items()}, step)
        shape = (len(self.active),) if self.hypotheses else ()
        for name, term in terms.items():
            if tuple(term.shape) not in ((), shape):
                raise InputError(f"The loss term {name!r} has shape {tuple(term.shape)}; it must be {shape} or ().")
        if not terms:
            raise InputError("The loss returned no terms; return a mapping with at least one.")
        rows = {name: term.expand(shape).reshape(len(self.active)) for name, term in terms.items()}
        total = torch.stack(list(rows.values())).sum(0)
        self._record(rows | {"total": total})
        self._remember(total.detach().double().cpu(), step)
        return total

    def _record(self, rows: Mapping[str, Tensor]) -> None:
        entry = {}
        for name, row in rows.items():
            entry[name] = torch.full((self.count,), torch.nan, dtype=torch.float64)
            entry[name][self.active] = row.detach().double().cpu()
        self.history.append(entry)

    def _remember(self, total: Tensor, step: int) -> None:
        best = self.best_loss[self.active]
        better = torch.isfinite(total) & (total < best)
        moved = torch.isfinite(total) if self.keep == "last" else better
        for name, kept in self.kept.items():
            kept[self.active[moved].to(kept.device)] = self.values[name].detach()[moved.to(kept.device)]
        self.best_loss[self.active[better]], self.best_step[self.active[better]] = total[better], step
        reference = self.gain_loss[self.active]
        gained = better & (
            total < torch.where(reference.isinf(), reference, reference - self.tolerance * reference.abs())
        )
        self.gain_loss[self.active[gained]], self.gain_step[self.active[gained]] = total[gained], step

    def gradients(self, total: Tensor) -> dict[str, Tensor]:
        """Gradients of the fitted variables; zero where a step's loss leaves one out."""
        names = [variable.name for variable in self.variables if variable.rate]
        if not total.requires_grad:
            raise InputError(f"The loss depends on none of the fitted variables ({', '.join(names)}).")
        finite = torch.isfinite(total.detach())
        found = torch.autograd.grad(
            total[finite].sum(), [self.values[name] for name in names], allow_unused=True, materialize_grads=True
        )
        return dict(zip(names, found, strict=True))

    def without_nonfinite(self, total: Tensor, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Hypotheses with NaN or infinity in total or gradients leave; the others' gradients."""
        fine = torch.isfinite(total.detach()).cpu()
        for gradient in gradients.values():
            fine &= torch.isfinite(gradient).reshape(len(fine), -1).all(1).cpu()
        self.nonfinite[self.active[~fine]] = True
        return gradients if fine.all() else self._select(torch.nonzero(fine)[:, 0], gradients)

    def pruned(self, count: int, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Only the `count` hypotheses with the lowest best loss go on; their gradients."""
        order = torch.argsort(self.best_loss[self.active], stable=True)
        return self._select(order[:count].sort().values, gradients)

    def _select(self, rows: Tensor, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        self.active = self.active[rows]
        self.values = {name: value.detach()[rows.to(value.device)] for name, value in self.values.items()}
        self.adam.select(rows)
        return {name: gradient[rows.to(gradient.device)] for name, gradient in gradients.items()}

    def move(self, gradients: Mapping[str, Tensor], step: int) -> None:
        """One update."""
        rates = {v.name: v.rate * (v.schedule or self.schedule)(step) for v in self.variables}
        for name, change in self.adam.update(gradients, rates).items():
            self.values[name] = self.values[name].detach() + change

    def shaped(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows of all hypotheses, without their axis where the caller has none."""
        return {name: row if self.hypotheses else row[..., 0] for name, row in rows.items()}

    def result(self, stopped: Literal["steps", "patience", "asked", "nonfinite"], seconds: float) -> FitResult:
        """What the caller gets."""
        names = dict.fromkeys(name for entry in self.history for name in entry)
        absent = torch.full((self.count,), torch.nan, dtype=torch.float64)
        history = {name: torch.stack([entry.get(name, absent) for entry in self.history]) for name in names}
        kept = self.kept if self.hypotheses else {name: value[0] for name, value in self.kept.items()}
        flat = self.shaped({"loss": self.best_loss, "step": self.best_step, "nonfinite": self.nonfinite})
        return FitResult(
            values=kept,
            history=self.shaped(history),
            best_loss=flat["loss"],
            best_step=flat["step"],
            nonfinite=flat["nonfinite"],
            stopped=stopped,
            seconds=seconds,
        )


def _check(variables: Sequence[Variable], steps: int, hypotheses: bool, prune: Mapping[int, int]) -> None:
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
    if hypotheses:
        lengths = {v.name: len(v.value) if v.value.ndim else 0 for v in variables}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise InputError(f"First axes differ among the variables ({lengths}); each must count the hypotheses.")
    if prune and (not hypotheses or min(prune.values()) < 1):
        raise InputError(f"prune is {dict(prune)}; it needs hypotheses=True and must leave at least one.")
