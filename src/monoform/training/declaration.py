"""How a training is told to the commands: its name, its options, and how the loop runs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .options import TrainOptions, TrainResult


@dataclass(frozen=True)
class LoopSettings:
    """How the loop runs for a training; the options of a training are built on it and may have other defaults.

    Attributes:
        ema_decay: decay of averaged weights; none for no averaging.
        clip: largest norm of a gradient; none for no limit.
        checkpoint_every: steps from checkpoint to checkpoint.
        evaluate_every: steps from evaluation to evaluation; 0 for none.
    """

    ema_decay: float | None = 0.999
    clip: float | None = 1.0
    checkpoint_every: int = 250
    evaluate_every: int = 1000

    def loop(self, *, steps: int, **more: Any) -> TrainOptions:
        """The loop's options.

        Args:
            steps: of the whole training.
            more: further fields of `TrainOptions`.

        Raises:
            InputError: a value is out of its range.
        """
        return TrainOptions(
            steps=steps,
            ema_decay=self.ema_decay,
            clip=self.clip,
            checkpoint_every=self.checkpoint_every,
            evaluate_every=self.evaluate_every,
            **more,
        )


@dataclass(frozen=True)
class Training:
    """What `monoform train NAME` does.

    Attributes:
        name: on the command line.
        summary: what comes of it, in a line.
        options: dataclass of its own options, built on `LoopSettings`; each documented on a line of its own.
        run: (data, out, options of the loop, own options) -> what became of it; writes OUT/weights.
    """

    name: str
    summary: str
    options: type[LoopSettings]
    run: Callable[[Path, Path, TrainOptions, Any], TrainResult]
