"""What a training consists of: a task and its phases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..errors import InputError
from .schedule import Constant, Schedule

Parameters = Iterable[Any]
Loss = Callable[[Any, int, torch.Generator], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Optimiser:
    """Which optimiser and its options; what the chosen one does not have is not used.

    Attributes:
        name: "adam", "adamw" or "sgd".
        rate: learning rate before the schedule; a parameter group may have its own under "lr".
        betas: decay of the two moments (adam, adamw).
        epsilon: added to the root of the second moment (adam, adamw).
        weight_decay: pull towards zero.
        momentum: of sgd.
        fused: compute adam and adamw in one kernel: many times faster for large tables on a CPU, rounded differently.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    fused: bool = False

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The torch optimiser over parameter groups.

        Raises:
            InputError: no such optimiser.
        """
        if self.name == "sgd":
            return torch.optim.SGD(groups, self.rate, momentum=self.momentum, weight_decay=self.weight_decay)
        known = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        if self.name not in known:
            raise InputError(f"There is no optimiser {self.name!r}: choose adam, adamw or sgd.")
        fused = {"fused": True} if self.fused else {}
        return known[self.name](
            groups, self.rate, betas=self.betas, eps=self.epsilon, weight_decay=self.weight_decay, **fused
        )


@dataclass(frozen=True)
class Phase:
    """One loss with the parameters it moves; the loop runs each phase that is due, in order, at each step.

    While a phase runs, only its own parameters ask for gradients: an adversary needs no detaching of the other side.

    Attributes:
        name: unique within the task; the prefix of its metrics.
        parameters: what it trains: tensors or parameter groups, or a function that returns them, such as
            `module.parameters`; all within the task's module.
        loss: (batch, step, generator) -> (scalar to minimise, scalars to log). The generator is on the device of the
            module and is seeded anew at each call; the global generators are too.
        every: the phase is due at the steps 0, every, 2 every ...
        optimiser: its options.
        schedule: step -> factor on the learning rate.
        shares: name of an earlier phase whose optimiser (with its parameters and moments) this phase uses, as lazy
            regularisation does (Karras et al. 2020, appendix B); "" for one of its own.
    """

    name: str
    parameters: Parameters | Callable[[], Parameters]
    loss: Loss
    every: int = 1
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Constant)
    shares: str = ""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"Phase {self.name!r} is due every {self.every} steps; it must be at least 1.")

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
    """What a method gives to the loop.

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
class EvaluatedTask(Task, Protocol):
    """A task that measures its module now and then."""

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """Numbers to log; the module is in evaluation mode and holds the averaged weights if there are any."""
        ...
