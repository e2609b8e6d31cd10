"""One update of one phase: gradients of micro-batches, averaged, clipped, applied."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..memory import persistent
from .options import Diverged, TrainOptions
from .phase import Loss, Phase, Term
from .processes import average
from .randomness import seed_for, seed_globals

if TYPE_CHECKING:
    from lightning.fabric import Fabric

MOST_SKIPS = 100
LARGEST = 1e5  # what stands for an infinite gradient


@dataclass
class PhaseState:
    """A phase with its optimizer, at work.

    Attributes:
        phase: of the training.
        optimizer: of its parameters.
        parameters: that it trains.
        others: parameters that it leaves as they are.
        rates: full learning rates of the optimizer's groups.
        skipped: steps left out because a gradient was not finite.
    """

    phase: Phase
    optimizer: torch.optim.Optimizer
    parameters: list[Tensor]
    others: list[Tensor]
    rates: list[float]
    skipped: int = 0

    @property
    def own(self) -> bool:
        """Whether the optimizer belongs to this phase."""
        return not self.phase.shares


def prepare_phases(phases: Sequence[Phase], module: nn.Module) -> list[PhaseState]:
    """Build the optimizers.

    Raises:
        InputError: there is no phase, two have one name, or a phase trains nothing or something outside the module.
    """
    if not phases:
        raise InputError("The task has no phase: there is nothing to train.")
    states: dict[str, PhaseState] = {}
    trainable = {id(item): item for item in module.parameters() if item.requires_grad}
    for phase in phases:
        if phase.name in states:
            raise InputError(f"Two phases are named {phase.name!r}: give each its own name.")
        states[phase.name] = _prepare(phase, states, trainable)
    return list(states.values())


def _prepare(phase: Phase, earlier: dict[str, PhaseState], trainable: dict[int, nn.Parameter]) -> PhaseState:
    if phase.shares:
        if phase.shares not in earlier:
            raise InputError(
                f"Phase {phase.name!r} shares the optimizer of {phase.shares!r}, which is no earlier phase."
            )
        other = earlier[phase.shares]
        return PhaseState(phase, other.optimizer, other.parameters, other.others, other.rates)
    groups = phase.groups()
    parameters: list[Tensor] = [item for group in groups for item in group["params"]]
    if not parameters:
        raise InputError(f"Phase {phase.name!r} has no parameter that asks for gradients.")
    if any(id(item) not in trainable for item in parameters):
        raise InputError(f"Phase {phase.name!r} trains a tensor that is no parameter of the task's module.")
    optimizer = phase.optimizer.over(groups)
    own = {id(item) for item in parameters}
    others: list[Tensor] = [item for key, item in trainable.items() if key not in own]
    return PhaseState(phase, optimizer, parameters, others, [group["lr"] for group in optimizer.param_groups])


class OptimizerStep:
    """Runs phases on batches.

    Args:
        fabric: device, precision and processes.
        options: seed, clip, what to do about losses that are not finite.
        relieve: makes losses take less memory, or raises; called when there is not enough.
    """

    def __init__(self, fabric: Fabric, options: TrainOptions, relieve: Callable[[], None]) -> None:
        self.fabric = fabric
        self.options = options
        self.relieve = relieve
        self._generator = torch.Generator(fabric.device)

    def update(self, state: PhaseState, batches: Sequence[tuple[int, Any]], step: int) -> dict[str, Tensor]:
        """One step of a phase on (shard number, batch) pairs; returns its metrics, averaged over all shards.

        Raises:
            Diverged: the loss is not finite (found at once on a CPU, when metrics are read on an accelerator).
        """

        def gradients() -> dict[str, Tensor]:
            state.optimizer.zero_grad()  # also of what was computed before memory ran out
            return self._gradients(state.phase, batches, step)

        with _frozen(state.others):
            metrics = persistent(gradients, self.relieve)
        metrics = dict(zip(metrics, average(self.fabric, state.parameters, _stacked(metrics)), strict=True))
        if self.options.nonfinite == "zero":
            metrics["nonfinite"] = zero_nonfinite(state.parameters)
        if self.options.clip is not None or self.options.nonfinite == "skip":
            metrics["gradient"] = self._clip(state.parameters)
        if self._usable(state, metrics, step):
            factor = state.phase.schedule(step)
            for group, rate in zip(state.optimizer.param_groups, state.rates, strict=True):
                group["lr"] = rate * factor
            state.optimizer.step()
        state.optimizer.zero_grad()
        return metrics

    def _gradients(self, phase: Phase, batches: Sequence[tuple[int, Any]], step: int) -> dict[str, Tensor]:
        """Add up the gradients of the mean loss; the means of the metrics and of the loss."""
        totals: dict[str, Tensor] = {}
        for shard, batch in batches:
            seed_globals(seed_for(self.options.seed, step, shard, phase.name, "globals"), self.fabric.device)
            self._generator.manual_seed(seed_for(self.options.seed, step, shard, phase.name, "loss"))
            found: dict[str, Tensor] = {}
            for loss, metrics in self._terms(phase.loss, batch, step):
                self.fabric.backward(loss / len(batches))
                _note(found, metrics, loss, phase.name)
                del loss, metrics  # the graph of a term is gone before the next is made
            if not found:
                raise InputError(f"The loss of phase {phase.name!r} yields no term: there is nothing to minimise.")
            totals = {name: totals[name] + value if totals else value for name, value in found.items()}
        # The loss comes last, as it always has in the log.
        totals["loss"] = totals.pop("loss")
        return {name: total / len(batches) for name, total in totals.items()}

    def _terms(self, loss: Loss, batch: Any, step: int) -> Iterator[Term]:
        """The terms of a loss, each computed in the precision of the training."""
        with self.fabric.autocast():
            made = loss(batch, step, self._generator)
        if isinstance(made, tuple):
            yield made
            return
        while True:
            with self.fabric.autocast():
                term = next(made, None)
            if term is None:
                return
            yield term
            del term

    def _clip(self, parameters: list[Tensor]) -> Tensor:
        limit = math.inf if self.options.clip is None else self.options.clip
        return nn.utils.clip_grad_norm_(parameters, limit)

    def _usable(self, state: PhaseState, metrics: dict[str, Tensor], step: int) -> bool:
        skip = self.options.nonfinite == "skip"
        if self.options.nonfinite == "zero":
            return True
        if self.fabric.device.type != "cpu" and not skip:
            return True  # asking would make the accelerator wait: the loop asks when it reads the metrics
        finite = [math.isfinite(float(metrics[name])) for name in ("loss", "gradient") if name in metrics]
        if all(finite):
            state.skipped = 0
            return True
        state.skipped += 1
        if not skip or state.skipped > MOST_SKIPS:
            raise diverged(state.phase.name, step, float(metrics["loss"]))
        return False


def diverged(phase: str, step: int, loss: float) -> Diverged:
    """The sentence for a loss or its gradient that is not finite."""
    what = f"The loss is {loss}" if not math.isfinite(loss) else "The gradient is not finite"
    return Diverged(
        f"{what} at step {step} in phase {phase!r}: lower the learning rate or clip the gradient, and go on from the "
        "last checkpoint."
    )


@torch.no_grad()
def zero_nonfinite(parameters: Sequence[Tensor]) -> Tensor:
    """Set gradients that are NaN to 0 and infinite ones to +-100000, as StyleGAN does; how many numbers there were."""
    count = torch.zeros((), device=parameters[0].device)
    for parameter in parameters:
        if parameter.grad is not None:
            count += (~torch.isfinite(parameter.grad)).sum()
            torch.nan_to_num(parameter.grad, nan=0.0, posinf=LARGEST, neginf=-LARGEST, out=parameter.grad)
    return count


def _note(found: dict[str, Tensor], metrics: Mapping[str, Tensor], loss: Tensor, phase: str) -> None:
    """Take in the metrics of a term; the losses of all terms are added up."""
    twice = [name for name in metrics if name in found or name == "loss"]
    if twice:
        raise InputError(f"Phase {phase!r} logs {twice[0]!r} twice: give each of its metrics a name of its own.")
    found.update({name: _number(value, loss) for name, value in metrics.items()})
    own = _number(loss, loss)
    found["loss"] = found["loss"] + own if "loss" in found else own


def _stacked(metrics: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(metrics.values()))


def _number(value: Tensor, loss: Tensor) -> Tensor:
    """A scalar to log, beside the loss, in single precision at least."""
    return torch.as_tensor(value).detach().reshape(()).to(loss.device, torch.promote_types(loss.dtype, torch.float32))


@contextmanager
def _frozen(parameters: list[Tensor]) -> Iterator[None]:
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
