"""The fitting engine: named variables, a loss, Adam, and the best that was met."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from ..training.schedule import Constant, Schedule
from .adam import BETAS, clipped
from .state import FitState, Loss, Project
from .variable import FitResult, Stopped, Variable, check_variables

OnStep = Callable[[int, Mapping[str, Tensor]], bool | None]


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
    betas: tuple[float, float] = BETAS,
    project: Project | None = None,
    measure_last: bool = True,
) -> FitResult:
    """Move the variables down the loss with Adam; deterministic where the loss is.

    Works under `torch.no_grad` and `torch.inference_mode` as well; tensors that were made in inference mode and that
    the loss needs for its gradient must go through `trackable` first.

    Args:
        loss: from the variables' present values and the step, terms by name, already weighted; what is minimised is
            their sum. Each term is one number, or one for each hypothesis that is left. It must not mix hypotheses.
        steps: number of updates. The values after the last one are measured too, unless `measure_last` says otherwise.
        schedule: factor on the rates at each step, for example `monoform.training.Cosine(steps)`; constant by default.
        hypotheses: whether the first axis of every variable counts starts that are fitted side by side.
        prune: at which steps only how many hypotheses go on, those with the lowest best loss so far.
        keep: the values of the lowest total, or of the last finite one (where the loss is random from step to step).
        clip: largest norm of a hypothesis' gradient over all variables.
        patience: end when no hypothesis has improved by the share `tolerance` of its loss for so many steps.
        on_step: is told the step and its terms, as in the history; the fit ends when it returns True.
        betas: Adam's decays of the two moments, each at least 0 and below 1.
        project: from all values after an update to those, by name, that are to be replaced: a quaternion made unit,
            numbers clamped to a range. Shapes are those that the loss sees, and stay. It must not mix hypotheses.
        measure_last: whether the loss is asked for once more after the last update; without, the result is the best of
            the values before it, or with keep="last" the values after it.

    Raises:
        InputError: there is nothing to fit, names or shapes do not agree, or the loss depends on no variable.
    """
    check_variables(variables, steps, hypotheses, prune or {})
    began = time.perf_counter()
    stopped: Stopped = "steps"
    with torch.inference_mode(False), torch.enable_grad():
        run = FitState(variables, hypotheses, keep, schedule or Constant(), tolerance, betas)
        for step in range(steps + int(measure_last)):
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
                run.move(gradients if clip is None else clipped(gradients, clip), step, project)
            if not measure_last and step == steps - 1:
                run.keep_last()
    return run.result(stopped, time.perf_counter() - began)


def trackable(tensor: Tensor) -> Tensor:
    """The tensor itself, or a copy that autograd can use where it was made in inference mode."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False):
        return tensor.clone()
