"""Hooks of a task before and after each step: once, whatever the micro-batches, and alike on every process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import torch

from ..errors import InputError
from .phase import Task
from .randomness import seed_for, seed_globals

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@runtime_checkable
class BeforeStep(Protocol):
    """A task with something to do before a step: train or evaluation modes, what is brought up to date now and then."""

    def before_step(self, step: int, generator: torch.Generator) -> None:
        """Called before the phases of `step`; see `Hooks`."""
        ...


@runtime_checkable
class AfterStep(Protocol):
    """A task with something to do after a step: clamped weights, averages, the strength of an augmentation."""

    def after_step(self, step: int, generator: torch.Generator) -> None:
        """Called when the weights are those after `step` and buffers are those of the first process; see `Hooks`."""
        ...


@runtime_checkable
class LessMemory(Protocol):
    """A task that can compute its losses with less memory, with the same result."""

    def less_memory(self) -> bool:
        """Called when memory ran out; False where it cannot do with less."""
        ...


class Hooks:
    """Calls the hooks that a task has.

    They run without gradients, in the precision of the losses. What they change are parameters and buffers of the
    task's module, and modes. The generator is on the device of the module and is seeded by the seed, the step and the
    hook, the global generators too; no process and no micro-batch is in it: all processes do the same.
    """

    def __init__(self, task: Task, fabric: Fabric, seed: int) -> None:
        self.task, self.fabric, self.seed = task, fabric, seed
        self._generator = torch.Generator(fabric.device)

    def before(self, step: int) -> None:
        """Call `before_step`, if there is one."""
        if isinstance(self.task, BeforeStep):
            self._seed(step, "before")
            with torch.no_grad(), self.fabric.autocast():
                self.task.before_step(step, self._generator)

    def after(self, step: int) -> None:
        """Call `after_step`, if there is one."""
        if isinstance(self.task, AfterStep):
            self._seed(step, "after")
            with torch.no_grad(), self.fabric.autocast():
                self.task.after_step(step, self._generator)

    def relieve(self) -> None:
        """Let the task do with less memory.

        Raises:
            InputError: it cannot.
        """
        if not isinstance(self.task, LessMemory) or not self.task.less_memory():
            raise InputError(f"There is not enough memory for a step of this training on {self.fabric.device}.")

    def _seed(self, step: int, when: Literal["before", "after"]) -> None:
        seed_globals(seed_for(self.seed, step, when, "globals"), self.fabric.device)
        self._generator.manual_seed(seed_for(self.seed, step, when, "hook"))
