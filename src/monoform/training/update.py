"""One update of one phase: gradients of micro-batches, averaged, clipped, applied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .options import Diverged, TrainOptions
from .phase import Phase
from .processes import average
from .randomness import seed_for, seed_globals

if TYPE_CHECKING:
    from lightning.fabric import Fabric

MOST_SKIPS = 100


@dataclass
class PhaseState:
    """A phase with its optimiser, at work."""

    phase: Phase
    optimiser: torch.optim.Optimizer
    parameters: list[Tensor]
    others: list[Tensor]
    rates: list[float]
    skipped: int = 0

    @property
    def own(self) -> bool:
        """Whether the optimiser belongs to this phase."""
        return not self.phase.shares


def prepare_phases(phases: Sequence[Phase], module: nn.Module) -> list[PhaseState]:
    """Build the optimisers.

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
                f"Phase {phase.name!r} shares the optimiser of {phase.shares!r}, which is no earlier phase."
            )
        other = earlier[phase.shares]
        return PhaseState(phase, other.optimiser, other.parameters, other.others, other.rates)
    groups = phase.groups()
    parameters: list[Tensor] = [item for group in groups for item in group["params"]]
    if not parameters:
        raise InputError(f"Phase {phase.name!r} has no parameter that asks for gradients.")
    if any(id(item) not in trainable for item in parameters):
        raise InputError(f"Phase {phase.name!r} trains a tensor that is no parameter of the task's module.")
    optimiser = phase.optimiser.build(groups)
    own = {id(item) for item in parameters}
    others: list[Tensor] = [item for key, item in trainable.items() if key not in own]
    return PhaseState(phase, optimiser, parameters, others, [group["lr"] for group in optimiser.param_groups])


class Updater:
    """Runs phases on batches.

    Args:
        fabric: device, precision and processes.
        options: seed, clip, what to do about losses that are not finite.
    """

    def __init__(self, fabric: Fabric, options: TrainOptions) -> None:
        self.fabric = fabric
        self.options = options
        self._generator = torch.Generator(fabric.device)

    def update(self, state: PhaseState, batches: Sequence[tuple[int, Any]], step: int) -> dict[str, Tensor]:
        """One step of a phase on (shard number, batch) pairs; returns its metrics, averaged over all shards.

        Raises:
            Diverged: the loss is not finite (found at once on a CPU, when metrics are read on an accelerator).
        """
        state.optimiser.zero_grad()
        with _frozen(state.others):
            names, values = self._gradients(state.phase, batches, step)
        values = average(self.fabric, state.parameters, values)
        metrics = dict(zip(names, values, strict=True))
        if self.options.clip is not None or self.options.nonfinite == "skip":
            metrics["gradient"] = self._clip(state.parameters)
        if self._usable(state, metrics, step):
            factor = state.phase.schedule(step)
            for group, rate in zip(state.optimiser.param_groups, state.rates, strict=True):
                group["lr"] = rate * factor
            state.optimiser.step()
        state.optimiser.zero_grad()
        return metrics

    def _gradients(self, phase: Phase, batches: Sequence[tuple[int, Any]], step: int) -> tuple[list[str], Tensor]:
        """Add up the gradients of the mean loss; the names and the means of the loss and the metrics."""
        names: list[str] = []
        total: Tensor | None = None
        for shard, batch in batches:
            seed_globals(seed_for(self.options.seed, step, shard, phase.name, "globals"), self.fabric.device)
            self._generator.manual_seed(seed_for(self.options.seed, step, shard, phase.name, "loss"))
            with self.fabric.autocast():
                loss, metrics = phase.loss(batch, step, self._generator)
            self.fabric.backward(loss / len(batches))
            names = [*metrics, "loss"]
            values = torch.stack([_number(item, loss) for item in (*metrics.values(), loss)])
            total = values if total is None else total + values
        assert total is not None
        return names, total / len(batches)

    def _clip(self, parameters: list[Tensor]) -> Tensor:
        limit = math.inf if self.options.clip is None else self.options.clip
        return nn.utils.clip_grad_norm_(parameters, limit)

    def _usable(self, state: PhaseState, metrics: dict[str, Tensor], step: int) -> bool:
        skip = self.options.nonfinite == "skip"
        if self.fabric.device.type != "cpu" and not skip:
            return True  # asking would make the accelerator wait: the journal asks when it reads the metrics
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
