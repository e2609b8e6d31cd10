"""The steps of bootstrapped inversion: side by side for all photos and, at first, for several cameras of each."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ...inversion import Variable, fit
from ...inversion.fit import OnStep
from .refined_state import State, projected
from .refinement import Refinement

BETAS = (0.9, 0.95)


def refined(
    run: Refinement,
    state: State,
    rows: Int[Tensor, " b"],
    usable: Bool[Tensor, " b"],
    starts: int,
    on_step: OnStep | None,
) -> tuple[State, Bool[Tensor, " n"], dict[str, Tensor]]:
    """The best of each photo's starts after the steps, whether it was refined, and the history."""
    images, updates = len(rows) // starts, run.options.updates
    choice = torch.arange(images, device=rows.device) * starts
    done, history = 0, {}
    if starts > 1 and updates and bool(usable.any()):
        done = min(run.options.tries, updates)
        state, fine, tried = _fit(run, state, rows, usable, range(done), on_step)
        total = torch.where(fine, tried["total"][-1].to(fine.device), torch.inf)
        choice = choice + total.unflatten(0, (images, starts)).argmin(dim=1)
        history = {name: values[:, choice.cpu()] for name, values in tried.items()}
        usable = fine
    state, usable, rows = state[choice], usable[choice], rows[choice]
    if updates > done and bool(usable.any()):
        state, usable, later = _fit(run, state, rows, usable, range(done, updates), on_step)
        names = dict.fromkeys([*history, *later])
        empty = {name: torch.full((0, images), torch.nan, dtype=torch.float64) for name in names}
        history = {name: torch.cat([(history or empty)[name], later[name]]) for name in names}
    return state, usable & (updates > 0), history


def _fit(
    run: Refinement, state: State, rows: Tensor, usable: Tensor, steps: range, on_step: OnStep | None
) -> tuple[State, Bool[Tensor, " b"], dict[str, Tensor]]:
    """Some steps of those that can be refined; the others keep what they have."""
    options, chosen = run.options, usable.nonzero()[:, 0]
    pose_rate = options.rate if options.pose_rate is None else options.pose_rate
    rates = {"latent": options.rate}
    if options.refine_pose:
        rates |= dict.fromkeys(("quaternion", "offset", "scale"), pose_rate)
        rates["focal"] = pose_rate if options.refine_focal else 0.0
    variables = [Variable(name, value, rates.get(name, 0.0)) for name, value in state[chosen].values().items()]
    variables += [Variable("row", rows[chosen], 0.0), Variable("start", chosen, 0.0)]
    schedule = options.schedule()
    found = fit(
        variables,
        lambda values, step: run.loss(values, step + steps.start),
        steps=len(steps),
        schedule=lambda step: schedule(step + steps.start),
        hypotheses=True,
        keep="last",
        patience=options.patience,
        on_step=None if on_step is None else lambda step, terms: on_step(step + steps.start, terms),
        betas=BETAS,
        project=projected,
        measure_last=False,
    )
    values = {name: value.clone() for name, value in state.values().items()}
    for name, value in values.items():
        value[chosen] = found.values[name]
    fine = usable.clone()
    fine[chosen] &= ~found.nonfinite.to(fine.device)
    history = {}
    for name, each in found.history.items():
        history[name] = each.new_full((len(each), len(rows)), torch.nan)
        history[name][:, chosen.cpu()] = each
    return State.of(values), fine, history
