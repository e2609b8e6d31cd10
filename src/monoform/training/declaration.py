"""Declaration of a training for the commands: its name, its options, its defaults of the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .options import TrainOptions, TrainResult


@dataclass(frozen=True)
class LoopSettings:
    """How the loop runs for a training; the options of a training are built on it and may have other defaults.

    Attributes:
        ema_decay: decay of averaged weights; none for no averaging.
        clip: largest norm of a gradient; none for no limit.
        accumulate: batches whose gradients are averaged into one step.
        checkpoint_every: steps from checkpoint to checkpoint.
        evaluate_every: steps from evaluation to evaluation, and one at the end; 0 for none.
        write_pictures: whether evaluations write pictures of what the network does, OUT/pictures.
        tensorboard: write OUT/tensorboard too.
    """

    ema_decay: float | None = 0.999
    clip: float | None = 1.0
    accumulate: int = 1
    checkpoint_every: int = 250
    evaluate_every: int = 1000
    write_pictures: bool = True
    tensorboard: bool = False

    def loop(self, *, steps: int, **more: Any) -> TrainOptions:
        """The loop's options.

        Args:
            steps: of the whole training.
            more: further fields of `TrainOptions`.

        Raises:
            InputError: a value is out of its range.
        """
        own = {item.name: getattr(self, item.name) for item in fields(LoopSettings)}
        return TrainOptions(steps=steps, **own, **more)


@dataclass(frozen=True)
class Training:
    """What `monoform train NAME` does.

    Attributes:
        name: on the command line.
        summary: what comes of it, in a line.
        options: dataclass of its own options, built on `LoopSettings`; each documented on a line of its own.
        run: (data, out, options of the loop, own options) -> what became of it; writes OUT/weights.
        steps: of the whole training, where the user does not say.
        data: what it learns from, as the help of --data.
    """

    name: str
    summary: str
    options: type[LoopSettings]
    run: Callable[[Path, Path, TrainOptions, Any], TrainResult]
    steps: int = 4000
    data: str = ""
