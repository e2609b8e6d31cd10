"""A training's task and its phases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from .checkpoint import Checkpoint
from .ema import Ema
from .optimizers import Optimizer
from .schedule import Constant, Schedule

Parameters = Iterable[Any]
Term = tuple[Tensor, dict[str, Tensor]]
Loss = Callable[[Any, int, torch.Generator], Term | Iterator[Term]]


@dataclass(frozen=True)
class Phase:
    """One loss with the parameters it moves; the loop runs each phase that is due, in order, at each step.

    While a phase runs, only its own parameters ask for gradients: an adversary needs no detaching of the other side.

    Attributes:
        name: unique within the task; the prefix of its metrics.
        parameters: what it trains: tensors or parameter groups, or a function that returns them, such as
            `module.parameters`; all within the task's module.
        loss: (batch, step, generator) -> (scalar to minimise, scalars to log). The generator is on the device of the
            module and is seeded anew at each call; the global generators are too. A loss of several terms yields them
            one after the other: gradients of each are computed before the next is asked for, so that only one graph
            is in memory; what is minimised is their sum.
        every: the phase is due at the steps begin + offset, begin + offset + every, begin + offset + 2 every ...
        offset: its first step, 0..every - 1, from `begin`.
        begin: before this step it is never due.
        end: from this step on it is not due any more; None for no end.
        optimizer: its options.
        schedule: step -> factor on the learning rate.
        shares: name of an earlier phase whose optimizer (with its parameters and moments) this phase uses, as lazy
            regularisation does (Karras et al. 2020, appendix B); "" for one of its own.
        observe: is told the step and the phase's metrics, averaged over all micro-batches and processes, after its
            update: for what must know them on every process alike, such as the strength of an augmentation.
    """

    name: str
    parameters: Parameters | Callable[[], Parameters]
    loss: Loss
    every: int = 1
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Constant)
    shares: str = ""
    offset: int = 0
    begin: int = 0
    end: int | None = None
    observe: Callable[[int, Mapping[str, Tensor]], None] | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"Phase {self.name!r} is due every {self.every} steps; it must be at least 1.")
        if not 0 <= self.offset < self.every:
            raise InputError(
                f"Phase {self.name!r} has the offset {self.offset}; it must be 0..{self.every - 1}, below its every."
            )
        if self.begin < 0 or (self.end is not None and self.end <= self.begin):
            raise InputError(
                f"Phase {self.name!r} begins at step {self.begin} and ends at {self.end}: it must end after it begins, "
                "at step 0 at the earliest."
            )

    def is_due(self, step: int) -> bool:
        """Whether the phase runs at `step`."""
        within = step >= self.begin and (self.end is None or step < self.end)
        return within and (step - self.begin) % self.every == self.offset

    def groups(self) -> list[dict[str, Any]]:
        """The parameters as groups of torch.optim, each without what does not ask for gradients."""
        given = list(self.parameters() if callable(self.parameters) else self.parameters)
        groups = [dict(item) for item in given if isinstance(item, dict)]
        loose = [item for item in given if not isinstance(item, dict)]
        groups += [{"params": loose}] if loose else []
        for group in groups:
            group["params"] = [item for item in group["params"] if item.requires_grad]
        return [group for group in groups if group["params"]]


@runtime_checkable
class Task(Protocol):
    """What a method gives to the loop; what it may have besides tell `NumberedTask`,
    `EvaluatedTask`, `PicturedTask`, `AveragedTask`, `StartedTask`, and `BeforeStep` and `AfterStep`.

    Everything that is trained or remembered lives in `module`, as parameters and buffers.
    """

    module: nn.Module

    def phases(self) -> list[Phase]:
        """The phases in the order in which they run within a step; asked for once, when the module is in place."""
        ...

    def batch(self, step: int, generator: torch.Generator) -> Any:
        """Data of one micro-batch, on any device: a function of its arguments alone, so that a run can be resumed.

        All phases of a step see the same batches. Tensors in containers are moved to the device of the module.
        """
        ...


@runtime_checkable
class NumberedTask(Task, Protocol):
    """A task whose data come in an order of their own, in which every micro-batch has its place."""

    def numbered_batch(self, number: int, generator: torch.Generator) -> Any:
        """Data of one micro-batch, called instead of `batch`.

        Args:
            number: of the micro-batch in the whole training, counted over all steps and processes: a function of it.
        """
        ...


@runtime_checkable
class EvaluatedTask(Task, Protocol):
    """A task that measures its module now and then."""

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """Numbers to log; the module is in evaluation mode and holds the averaged weights if there are any."""
        ...


@runtime_checkable
class PicturedTask(Task, Protocol):
    """A task that shows now and then what its module does."""

    def pictures(self, module: nn.Module) -> Mapping[str, Float[Tensor, "h w 3"]]:
        """Pictures by name, sRGB 0..1, the same at each call; the module is as it is for an evaluation."""
        ...


@runtime_checkable
class AveragedTask(Task, Protocol):
    """A task that says which weights are averaged and how, instead of `TrainOptions.ema_decay`."""

    def ema(self) -> Ema | None:
        """The averages; asked for once, when the module is in place; None for none."""
        ...


@runtime_checkable
class StartedTask(Task, Protocol):
    """A task that may go on from where another program's training stopped."""

    def start(self) -> Checkpoint | None:
        """The state to begin with where the folder holds none; None to begin anew. Its options are not compared."""
        ...
