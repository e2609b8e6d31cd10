"""The state of a fit: values, their best so far, which hypotheses are left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..training.schedule import Schedule
from .adam import Adam
from .variable import FitResult, Stopped, Variable

Loss = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
Project = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


class FitState:
    """The state of a fit; inside, there always is an axis of hypotheses, if only of length 1."""

    def __init__(
        self,
        variables: Sequence[Variable],
        hypotheses: bool,
        keep: str,
        schedule: Schedule,
        tolerance: float,
        betas: tuple[float, float],
    ) -> None:
        self.variables, self.hypotheses, self.keep = variables, hypotheses, keep
        self.schedule, self.tolerance = schedule, tolerance
        self.count = next(len(v.value) for v in variables if not v.shared) if hypotheses else 1
        self.values = {v.name: self._start(v) for v in variables}
        self.kept = {name: value.clone() for name, value in self.values.items()}
        self.active = torch.arange(self.count)
        self.best_loss = torch.full((self.count,), torch.inf, dtype=torch.float64)
        self.best_step = torch.full((self.count,), -1)
        self.gain_loss, self.gain_step = self.best_loss.clone(), torch.zeros_like(self.best_step)
        self.nonfinite = torch.zeros(self.count, dtype=torch.bool)
        self.history: list[dict[str, Tensor]] = []
        self.adam = Adam(betas)

    def _start(self, variable: Variable) -> Tensor:
        value = variable.value.detach().clone()
        if variable.shared or not self.hypotheses:
            return value.expand(self.count, *value.shape).clone()
        return value

    def measure(self, loss: Loss, step: int) -> Tensor:
        """The totals of the active hypotheses, in their graph; history and the best are brought up to date."""
        for variable in self.variables:
            if variable.rate:
                self.values[variable.name].requires_grad_()
        terms = loss(self.shaped(self.values), step)
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

    def move(self, gradients: Mapping[str, Tensor], step: int, project: Project | None) -> None:
        """One update, and what `project` makes of it."""
        summed = {v.name for v in self.variables if v.shared}
        gradients = {
            # The same for all, so that their values and moments stay the same.
            name: gradient.sum(0, keepdim=True).expand_as(gradient) if name in summed else gradient
            for name, gradient in gradients.items()
        }
        rates = {v.name: v.rate * (v.schedule or self.schedule)(step) for v in self.variables}
        for name, change in self.adam.update(gradients, rates).items():
            self.values[name] = self.values[name].detach() + change
        if project is not None:
            self._project(project)

    @torch.no_grad()
    def _project(self, project: Project) -> None:
        for name, value in project({name: v.detach() for name, v in self.shaped(self.values).items()}).items():
            if name not in self.values:
                raise InputError(f"The projection returns {name!r}, which is no variable of the fit.")
            own = self.values[name]
            made = value if self.hypotheses else value[None]
            if made.shape != own.shape:
                raise InputError(f"The projection of {name!r} has shape {tuple(made.shape)}, not {tuple(own.shape)}.")
            self.values[name] = made.detach().to(own).clone()

    def keep_last(self) -> None:
        """Keep the present values, which are not measured, where the last are asked for."""
        if self.keep == "last":
            for name, kept in self.kept.items():
                kept[self.active.to(kept.device)] = self.values[name].detach()

    def shaped(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors whose first axis is that of the hypotheses, without it where the caller has none."""
        return {name: row if self.hypotheses else row[0] for name, row in rows.items()}

    def result(self, stopped: Stopped, seconds: float) -> FitResult:
        """The fit's result in the caller's shapes."""
        names = dict.fromkeys([*(name for entry in self.history for name in entry), "total"])
        absent = torch.full((self.count,), torch.nan, dtype=torch.float64)
        rows = {name: [entry.get(name, absent) for entry in self.history] for name in names}
        table = {name: torch.stack(row) if row else absent.new_zeros(0, self.count) for name, row in rows.items()}
        history = table if self.hypotheses else {name: row[:, 0] for name, row in table.items()}
        flat = self.shaped({"loss": self.best_loss, "step": self.best_step, "nonfinite": self.nonfinite})
        return FitResult(
            values=self.shaped(self.kept),
            history=history,
            best_loss=flat["loss"],
            best_step=flat["step"],
            nonfinite=flat["nonfinite"],
            stopped=stopped,
            seconds=seconds,
        )
