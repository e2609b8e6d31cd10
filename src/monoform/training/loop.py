"""The one training loop: phases that are due, averaged weights, checkpoints, a journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..errors import InputError
from ..outputs import sweep, told
from ..progress import work
from .checkpoint import (
    Checkpoint,
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    require_same_shapes,
    save_checkpoint,
)
from .ema import Ema
from .feed import Feed
from .journal import Journal, Window
from .options import Diverged, TrainOptions, TrainResult
from .phase import EvaluatedTask, Task
from .processes import copy_from_first, largest, start_fabric
from .randomness import kept_globals, seed_for, seed_globals
from .run_folder import run_folder
from .stopping import REASONS, Stop
from .update import PhaseState, Updater, prepare_phases

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def train(
    task: Task, out: str | Path, *, options: TrainOptions, reserve: Callable[[], float] | None = None
) -> TrainResult:
    """Train a task's module in place; go on from the last checkpoint where `out` holds one.

    An interrupted and resumed training ends with the same bits as an uninterrupted one, on one device and with
    one number of threads. The random generators of the caller are left as they were.

    Args:
        task: module, phases and data.
        out: folder of checkpoints/ and metrics.jsonl.
        options: how the loop runs.
        reserve: seconds of `options.max_seconds` that are needed afterwards; it is asked now and then.

    Returns:
        What became of it; SIGTERM, SIGINT and the end of the time budget return with a checkpoint.

    Raises:
        InputError: a package or device is missing, the folder holds another training or cannot be written.
        Diverged: a loss or a weight is not finite.
    """
    begun = time.perf_counter() if options.begun is None else options.begun
    stop = Stop(begun, options.max_seconds, reserve)
    fabric = start_fabric(options)
    with stop, kept_globals(fabric.device), run_folder(out, first=fabric.is_global_zero):
        training = Training(task, Path(out), options, fabric)
        try:
            return training.run(stop)
        finally:
            training.close()


class Training:
    """A training at work; see `train`."""

    def __init__(self, task: Task, out: Path, options: TrainOptions, fabric: Fabric) -> None:
        self.task, self.out, self.options, self.fabric = task, out, options, fabric
        self.module: nn.Module = fabric.to_device(task.module)
        self.states = prepare_phases(task.phases(), self.module)
        self.updater = Updater(fabric, options)
        self.window = Window()
        self.step = 0
        self.seconds = 0.0
        copy_from_first(fabric, self.module.state_dict().values())
        decay = options.ema_decay
        self.ema = None if decay is None else Ema(self.module, decay, warmup=options.ema_warmup)
        self._make_folder()
        self._resume()
        fabric.barrier()
        self.journal = Journal(
            out,
            active=fabric.is_global_zero,
            first_step=self.step,
            steps=options.steps,
            tensorboard=options.tensorboard,
            progress=options.progress,
        )
        self.feed = Feed(task, fabric, options)

    def run(self, stop: Stop) -> TrainResult:
        """All steps that are left, or as many as can be done."""
        reason, first, begun = "", self.step, time.perf_counter()
        while self.step < self.options.steps and not reason:
            self._step()
            each = (time.perf_counter() - begun) / (self.step - first)
            reason = REASONS[largest(self.fabric, stop.reason(each), len(REASONS))]
            if self.step >= self.options.steps:
                reason = "done"
            self._write_down(last=bool(reason))
        path = checkpoint_path(self.out, self.step)
        return TrainResult(self.step, reason or "done", path, dict(self.journal.latest), self.seconds)

    def close(self) -> None:
        """End the thread and the journal."""
        self.feed.close()
        self.journal.close()

    def _step(self) -> None:
        begun = time.perf_counter()
        due = self._due(self.step)
        batches = self.feed.batches(self.step, self._following()) if due else []
        for state in due:
            self.window.add(state.phase.name, self.step, self.updater.update(state, batches, self.step))
        copy_from_first(self.fabric, self.module.buffers())
        if self.ema is not None:
            self.ema.update(self.step)
        self.step += 1
        self.journal.advance(self.step)
        self.seconds += time.perf_counter() - begun

    def _due(self, step: int) -> list[PhaseState]:
        return [state for state in self.states if step % state.phase.every == 0]

    def _following(self) -> int | None:
        """The next step that has a phase."""
        return next((step for step in range(self.step + 1, self.options.steps) if self._due(step)), None)

    def _write_down(self, *, last: bool) -> None:
        """Log, evaluate and keep what is due, in this order: a checkpoint knows that its step was logged."""
        options = self.options
        done = self.step >= options.steps
        if self.step % options.log_every == 0 or done:
            self.window.read(check=options.nonfinite == "raise")
            rates = {f"{item.phase.name}/rate": item.optimiser.param_groups[0]["lr"] for item in self.states}
            metrics = {**self.window.means(), **rates}
            self.journal.line(self.step, "train", metrics, seconds=round(self.seconds, 3))
        every = options.evaluate_every
        if every and (self.step % every == 0 or done):
            self._evaluate()
        if self.step % options.checkpoint_every == 0 or last:
            self._save()

    def _evaluate(self) -> None:
        if self.fabric.is_global_zero and isinstance(self.task, EvaluatedTask):
            modes = {part: part.training for part in self.module.modules()}
            seed_globals(seed_for(self.options.seed, self.step, "evaluate"), self.fabric.device)
            try:
                self.module.eval()
                averaged = nullcontext() if self.ema is None else self.ema.applied()
                with averaged, work("judging what was not trained on"):
                    metrics = self.task.evaluate(self.module, self.step)
            finally:
                for part, mode in modes.items():
                    part.training = mode
            self.journal.line(self.step, "evaluate", {f"evaluate/{name}": float(v) for name, v in metrics.items()})
        self.fabric.barrier()

    def _make_folder(self) -> None:
        if not self.fabric.is_global_zero:
            return
        with told(self.out):
            (self.out / "checkpoints").mkdir(parents=True, exist_ok=True)
        sweep(self.out / "checkpoints", again=True)

    def _save(self) -> None:
        self.window.read(check=self.options.nonfinite == "raise")
        model = self.module.state_dict()
        floating = [item for item in model.values() if item.is_floating_point()]
        if not bool(torch.stack([torch.isfinite(item).all() for item in floating]).all()):
            raise Diverged(
                f"The weights are not finite after step {self.step - 1}, phase "
                f"{', '.join(repr(item.phase.name) for item in self._due(self.step - 1))}: lower the learning rate or "
                "clip the gradient, and go on from the last checkpoint."
            )
        if self.fabric.is_global_zero:
            checkpoint = Checkpoint(
                step=self.step,
                model=dict(model),
                ema=None if self.ema is None else self.ema.averages,
                optimisers={item.phase.name: item.optimiser.state_dict() for item in self.states if item.own},
                options=self.options.mathematics(self.fabric.world_size),
                sums=self.window.sums,
                counts=self.window.counts,
                seconds=self.seconds,
            )
            save_checkpoint(self.out, checkpoint, keep=self.options.keep)
        self.fabric.barrier()

    def _resume(self) -> None:
        """Go on from the last checkpoint, if there is one; nothing is changed before all of it is found to fit."""
        paths = list_checkpoints(self.out)
        if not paths:
            return
        path, checkpoint = paths[-1], load_checkpoint(paths[-1])
        _require_same_options(checkpoint.options, self.options.mathematics(self.fabric.world_size), self.out)
        own = {item.phase.name: item.optimiser for item in self.states if item.own}
        if set(own) != set(checkpoint.optimisers):
            raise InputError(
                f"{path} is of a training with the phases {', '.join(checkpoint.optimisers)}; this one has "
                f"{', '.join(own)}: choose another folder."
            )
        require_same_shapes(checkpoint.model, self.module.state_dict(), path)
        if self.ema is not None:
            require_same_shapes(checkpoint.ema or {}, self.ema.averages, path)
        try:
            for name, optimiser in own.items():
                _load_optimiser(optimiser, checkpoint.optimisers[name])
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise InputError(f"The checkpoint {path} is damaged: its optimiser {name!r} does not fit.") from error
        self.module.load_state_dict(checkpoint.model)
        if self.ema is not None:
            for name, tensor in (checkpoint.ema or {}).items():
                self.ema.averages[name].copy_(tensor)
        self.step, self.seconds = checkpoint.step, checkpoint.seconds
        self.window.sums, self.window.counts = dict(checkpoint.sums), dict(checkpoint.counts)


def _load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """Moments from the file; options from the task, which may have been changed on purpose."""
    options = [{name: value for name, value in group.items() if name != "params"} for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, values in zip(optimiser.param_groups, options, strict=True):
        group.update(values)
    for parameter, moments in optimiser.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(f"{name} is {tuple(value.shape)} for {tuple(parameter.shape)}")


def _require_same_options(found: dict[str, object], asked: dict[str, object], out: Path) -> None:
    for name, value in asked.items():
        if found.get(name) != value:
            raise InputError(
                f"{out} holds a training with {name} {found.get(name)}, and {value} is asked for: give the same, or "
                "another folder."
            )
