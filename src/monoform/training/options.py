"""Options and outcome of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..computing import WORDS, DeviceWord
from ..errors import InputError
from ..ranges import LARGEST_SEED, require_range


@dataclass(frozen=True)
class TrainOptions:
    """How the loop runs, whatever the task.

    Attributes:
        steps: optimizer steps of the whole training.
        seed: of every draw.
        accumulate: micro-batches of a process whose gradients are averaged into one step.
        ema_decay: decay of averaged weights; None for none. A task may say it otherwise, see `AveragedTask`.
        ema_warmup: a shorter memory at the beginning, see `Ema`.
        precision: "32-true", or "bf16-mixed" (products in bfloat16, weights in float32).
        clip: largest norm of a phase's gradient; None for no limit.
        nonfinite: "raise" when a loss is not finite; "skip" the update (up to 100 in a row); or "zero" those numbers of
            the gradient that are not, count them as the metric PHASE/nonfinite, and go on.
        checkpoint_every: steps from checkpoint to checkpoint; the last step is kept always.
        keep: checkpoints that stay, the last ones.
        keep_every: steps from checkpoint to checkpoint that stays besides; 0 for none.
        keep_after: steps before which none of these is kept.
        evaluate_every: steps from evaluation to evaluation, and one at the end; 0 for none.
        write_pictures: with each evaluation write the pictures that the task makes (`PicturedTask`).
        log_every: steps whose metrics are averaged into one line of metrics.jsonl.
        max_seconds: stop cleanly, with a checkpoint, before this time is spent; None for no limit.
        begun: `time.perf_counter()` from which it counts; None: when the training is called.
        device: "auto", "cpu", "cuda" or "mps".
        processes: processes on this machine; under torchrun its own count holds.
        nodes: machines; under torchrun its own count holds.
        prefetch: make the next step's batches in a thread while this step computes.
        tensorboard: write OUT/tensorboard too.
        progress: say how far it is on standard error: a bar on a terminal, elsewhere a line now and then.
    """

    steps: int
    seed: int = 0
    accumulate: int = 1
    ema_decay: float | None = None
    ema_warmup: bool = True
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    clip: float | None = None
    nonfinite: Literal["raise", "skip", "zero"] = "raise"
    checkpoint_every: int = 1000
    keep: int = 2
    keep_every: int = 0
    keep_after: int = 0
    evaluate_every: int = 0
    write_pictures: bool = True
    log_every: int = 50
    max_seconds: float | None = None
    begun: float | None = None
    device: DeviceWord = "auto"
    processes: int = 1
    nodes: int = 1
    prefetch: bool = False
    tensorboard: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        for name in ("steps", "accumulate", "checkpoint_every", "keep", "log_every", "processes", "nodes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.evaluate_every < 0:
            raise InputError(f"evaluate_every is {self.evaluate_every}; give 0 for no evaluation, or a positive count.")
        for name in ("keep_every", "keep_after"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; give 0, or a positive count of steps.")
        for name in ("clip", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} is {value}; it must be positive, or None for no limit.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay}; it must be at least 0 and below 1.")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}.")

    @property
    def deadline(self) -> float | None:
        """`time.perf_counter()` at which the time is spent; None for no limit, or before it is known when it began."""
        return None if self.max_seconds is None or self.begun is None else self.begun + self.max_seconds

    def stays(self, step: int) -> bool:
        """Whether the checkpoint of a step is kept for good."""
        return self.keep_every > 0 and step >= max(self.keep_after, 1) and step % self.keep_every == 0

    def mathematics(self, world: int) -> dict[str, Any]:
        """The options that decide the numbers; a resumed training must have the same."""
        shared = {name: asdict(self)[name] for name in DECISIVE}
        return {**shared, "micro-batches a step": self.accumulate * world}


CHOICES = {
    "precision": ("32-true", "bf16-mixed"),
    "nonfinite": ("raise", "skip", "zero"),
    "device": WORDS,
}
DECISIVE = ("seed", "ema_decay", "ema_warmup", "precision", "clip", "nonfinite")


@dataclass(frozen=True)
class TrainResult:
    """What became of a training.

    Attributes:
        step: steps that are done, over all sessions.
        stopped: "done", "time", or the name of the signal: "SIGTERM", "SIGINT".
        checkpoint: file to resume from.
        metrics: the last training averages and the last evaluation.
        seconds: time spent in steps, over all sessions.
    """

    step: int
    stopped: str
    checkpoint: Path
    metrics: dict[str, float]
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.stopped == "done"


class Diverged(InputError):
    """A loss or a weight is no longer finite; the sentence names the step and the phase."""
