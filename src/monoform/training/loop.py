"""The one training loop: phases that are due, averaged weights, checkpoints, a log of metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..outputs import explained_errors, sweep
from ..progress import work
from .accumulator import MetricAccumulator
from .checkpoint import (
    Checkpoint,
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    require_same_shapes,
    save_checkpoint,
)
from .ema import Ema
from .hooks import Hooks
from .identity import IdentifiedTask, require_same
from .logger import MetricLogger
from .optimizer_step import OptimizerStep, PhaseState, prepare_phases
from .options import Diverged, TrainOptions, TrainResult
from .phase import AveragedTask, EvaluatedTask, PicturedTask, StartedTask, Task
from .prefetch import BatchPrefetcher
from .processes import copy_from_first, largest, start_fabric
from .randomness import kept_globals, seed_for, seed_globals
from .run_folder import run_folder
from .stopping import REASONS, Stop

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
    with kept_globals(torch.device("cpu")):  # importing Lightning draws random numbers
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
        self.hooks = Hooks(task, fabric, options.seed)
        self.optimizer_step = OptimizerStep(fabric, options, self.hooks.relieve)
        self.metrics = MetricAccumulator()
        self.step = 0
        self.seconds = 0.0
        copy_from_first(fabric, self.module.state_dict().values())
        self.ema = _ema(task, options)
        self.identity = dict(task.identity()) if isinstance(task, IdentifiedTask) else {}
        self._make_folder()
        self._resume()
        fabric.barrier()
        self.logger = MetricLogger(
            out,
            active=fabric.is_global_zero,
            first_step=self.step,
            steps=options.steps,
            tensorboard=options.tensorboard,
            progress=options.progress,
        )
        self.prefetcher = BatchPrefetcher(task, fabric, options)

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
        return TrainResult(self.step, reason or "done", path, dict(self.logger.latest), self.seconds)

    def close(self) -> None:
        """End the thread and the log."""
        self.prefetcher.close()
        self.logger.close()

    def _step(self) -> None:
        begun = time.perf_counter()
        due = self._due(self.step)
        batches = self.prefetcher.batches(self.step, self._following()) if due else []
        self.hooks.before(self.step)
        for state in due:
            metrics = self.optimizer_step.update(state, batches, self.step)
            self.metrics.add(state.phase.name, self.step, metrics)
            if state.phase.observe is not None:
                state.phase.observe(self.step, metrics)
        copy_from_first(self.fabric, self.module.buffers())
        self.hooks.after(self.step)
        if self.ema is not None:
            self.ema.update(self.step)
        self.step += 1
        self.logger.advance(self.step)
        self.seconds += time.perf_counter() - begun

    def _due(self, step: int) -> list[PhaseState]:
        return [state for state in self.states if state.phase.is_due(step)]

    def _following(self) -> int | None:
        """The next step that has a phase."""
        return next((step for step in range(self.step + 1, self.options.steps) if self._due(step)), None)

    def _write_down(self, *, last: bool) -> None:
        """Log, evaluate and keep what is due, in this order: a checkpoint knows that its step was logged."""
        options = self.options
        done = self.step >= options.steps
        if self.step % options.log_every == 0 or done:
            self.metrics.read(check=options.nonfinite == "raise")
            rates = {f"{item.phase.name}/rate": item.optimizer.param_groups[0]["lr"] for item in self.states}
            metrics = {**self.metrics.means(), **rates}
            self.logger.line(self.step, "train", metrics, seconds=round(self.seconds, 3))
        every = options.evaluate_every
        if every and (self.step % every == 0 or done):
            self._evaluate()
        if self.step % options.checkpoint_every == 0 or options.stays(self.step) or last:
            self._save()

    def _evaluate(self) -> None:
        task = self.task
        shown = self.options.write_pictures and isinstance(task, PicturedTask)
        if self.fabric.is_global_zero and (shown or isinstance(task, EvaluatedTask)):
            modes = {part: part.training for part in self.module.modules()}
            seed_globals(seed_for(self.options.seed, self.step, "evaluate"), self.fabric.device)
            metrics: dict[str, float] | None = None
            pictures: Mapping[str, Tensor] = {}
            try:
                self.module.eval()
                with nullcontext() if self.ema is None else self.ema.applied(), work("judging what was not trained on"):
                    if isinstance(task, EvaluatedTask):
                        metrics = task.evaluate(self.module, self.step)
                    if shown and isinstance(task, PicturedTask):
                        with torch.no_grad():
                            pictures = task.pictures(self.module)
            finally:
                for part, mode in modes.items():
                    part.training = mode
            if metrics is not None:
                self.logger.line(self.step, "evaluate", {f"evaluate/{name}": float(v) for name, v in metrics.items()})
            self.logger.show(self.step, pictures)
        self.fabric.barrier()

    def _make_folder(self) -> None:
        if not self.fabric.is_global_zero:
            return
        with explained_errors(self.out):
            (self.out / "checkpoints").mkdir(parents=True, exist_ok=True)
        sweep(self.out / "checkpoints", again=True)

    def _save(self) -> None:
        self.metrics.read(check=self.options.nonfinite == "raise")
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
                optimizers={item.phase.name: item.optimizer.state_dict() for item in self.states if item.own},
                options={**self.options.mathematics(self.fabric.world_size), **self.identity},
                sums=self.metrics.sums,
                counts=self.metrics.counts,
                seconds=self.seconds,
            )
            save_checkpoint(self.out, checkpoint, keep=self.options.keep, stays=self.options.stays)
        self.fabric.barrier()

    def _resume(self) -> None:
        """Go on from the last checkpoint, if there is one; nothing is changed before all of it is found to fit."""
        paths = list_checkpoints(self.out)
        if paths:
            checkpoint = load_checkpoint(paths[-1])
            require_same(checkpoint.options, self.options.mathematics(self.fabric.world_size), self.identity, self.out)
            self._go_on(checkpoint, paths[-1])
        elif isinstance(self.task, StartedTask) and (started := self.task.start()) is not None:
            if started.step >= self.options.steps:
                raise InputError(f"The training stands at step {started.step} already: ask for more --steps.")
            averages = None if self.ema is None else self.ema.averages  # they begin with these weights
            self._go_on(replace(started, ema=averages), "The training that is to go on")

    def _go_on(self, checkpoint: Checkpoint, path: Path | str) -> None:
        """Take a state over."""
        own = {item.phase.name: item.optimizer for item in self.states if item.own}
        if set(own) != set(checkpoint.optimizers):
            raise InputError(
                f"{path} is of a training with the phases {', '.join(checkpoint.optimizers)}; this one has "
                f"{', '.join(own)}: choose another folder."
            )
        require_same_shapes(checkpoint.model, self.module.state_dict(), path)
        if self.ema is not None:
            require_same_shapes(checkpoint.ema or {}, self.ema.averages, path)
        try:
            for name, optimizer in own.items():
                _load_optimizer(optimizer, checkpoint.optimizers[name])
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise InputError(f"The checkpoint {path} is damaged: its optimizer {name!r} does not fit.") from error
        self.module.load_state_dict(checkpoint.model)
        if self.ema is not None:
            for name, tensor in (checkpoint.ema or {}).items():
                self.ema.averages[name].copy_(tensor)
        self.step, self.seconds = checkpoint.step, checkpoint.seconds
        self.metrics.sums, self.metrics.counts = dict(checkpoint.sums), dict(checkpoint.counts)


def _ema(task: Task, options: TrainOptions) -> Ema | None:
    if isinstance(task, AveragedTask):
        return task.ema()
    return None if options.ema_decay is None else Ema(task.module, options.ema_decay, warmup=options.ema_warmup)


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """Moments from the file; options from the task, which may have been changed on purpose."""
    options = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, values in zip(optimizer.param_groups, options, strict=True):
        group.update(values)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(f"{name} is {tuple(value.shape)} for {tuple(parameter.shape)}")
