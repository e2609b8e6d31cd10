"""Declaration of a training for the commands: its name, its options, its defaults of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
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
        keep_every: steps from checkpoint to checkpoint that stays for good; 0: only the last two stay.
        evaluate_every: steps from evaluation to evaluation, and one at the end; 0 for none.
        log_every: steps from line to line of metrics.jsonl, and from loss to loss that is said: their means.
        write_pictures: whether evaluations write pictures of what the network does, OUT/pictures.
        tensorboard: write OUT/tensorboard too.
    """

    ema_decay: float | None = 0.999
    clip: float | None = 1.0
    accumulate: int = 1
    checkpoint_every: int = 250
    keep_every: int = 0
    evaluate_every: int = 1000
    log_every: int = 50
    write_pictures: bool = True
    tensorboard: bool = False

    def loop(self, *, steps: int, **more: Any) -> TrainOptions:
        """The loop's options.

        Args:
            steps: of the whole training.
            more: further fields of `TrainOptions`, or other values of them.

        Raises:
            InputError: a value is out of its range.
        """
        own = {item.name: getattr(self, item.name) for item in fields(LoopSettings)}
        return TrainOptions(steps=steps, **{**own, **more})


@dataclass(frozen=True)
class Training:
    """What `monoform train NAME` does.

    Attributes:
        name: on the command line.
        summary: what comes of it, in a line.
        options: dataclass of its own options, built on `LoopSettings`; each documented on a line of its own.
        run: (data, out, options of the loop, own options) -> what became of it; writes OUT/weights. Data are a path,
            or the words of the command line where they may be an address.
        steps: of the whole training, where the user does not say; or a function that tells it of the options.
        data: what it learns from, as the help of --data.
        remote: whether that may be an address that fsspec knows.
        presets: options of each configuration that its option `config` names, where they differ by more than that.
    """

    name: str
    summary: str
    options: type[LoopSettings]
    run: Callable[[Any, Path, TrainOptions, Any], TrainResult]
    steps: int | Callable[[Any], int] = 4000
    data: str = ""
    remote: bool = False
    presets: Mapping[str, LoopSettings] = field(default_factory=dict)

    def steps_of(self, settings: LoopSettings) -> int:
        """Steps of a whole training with these options."""
        return self.steps if isinstance(self.steps, int) else self.steps(settings)

    def settings(self, parse: Callable[[LoopSettings], Mapping[str, Any]]) -> LoopSettings:
        """The options: those of the configuration, and what the user gives.

        Args:
            parse: what the user gives, as values by name, against the options that hold otherwise.
        """
        start = self.options()
        if self.presets:
            start = self.presets.get(parse(start).get("config", getattr(start, "config", "")), start)
        return replace(start, **parse(start))
