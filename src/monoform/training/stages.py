"""A training of several stages, one after the other in one run, each with its share of the steps and of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..progress import work
from .checkpoint import list_checkpoints
from .loop import train
from .options import TrainOptions, TrainResult
from .phase import Task
from .run_folder import run_folder

LEAST_SECONDS = 1.0  # of a stage whose time has been spent by those before: a step or two


@dataclass(frozen=True)
class Stage:
    """One training among several.

    Attributes:
        name: of its folder within that of the run.
        begin: from the options of the stage to its task; it finds what the stages before have left.
        end: is given the task and the outcome when the stage ends for now, for whatever reason, and writes what the
            next ones begin from.
        share: of the steps and of the time, against those of the other stages.
        output: what `end` writes: where it is missing, the stage is gone on with even if a later one has begun.
        changes: options of this stage that differ from those of the run, by name.
    """

    name: str
    begin: Callable[[TrainOptions], Task]
    end: Callable[[Task, TrainResult], None]
    share: float = 1.0
    output: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def train_stages(stages: Sequence[Stage], out: str | Path, options: TrainOptions) -> TrainResult:
    """Train one stage after the other; go on in the stage that was interrupted.

    Args:
        out: folder of the run; each stage has its own within, with checkpoints/ and metrics.jsonl.
        options: `steps` and `max_seconds` are of all stages together. A stage whose time is over hands over to the next
            as it is; a signal ends the run.

    Returns:
        What became of the last stage that ran; its `step` counts those of the stages before.

    Raises:
        InputError: a stage has no steps, two share a name, or as `train` does.
        Diverged: as `train` does.
    """
    out = Path(out)
    options = replace(options, begun=time.perf_counter() if options.begun is None else options.begun)
    ends = step_ends(stages, options.steps)
    with run_folder(out):
        left = [number for number in range(len(stages)) if not _is_over(stages, number, out)]
        deadlines = _deadlines([stages[number].share for number in left], options)
        for place, number in enumerate(left):
            stage, before = stages[number], ends[number - 1] if number else 0
            own = _own_options(options, deadlines[place], later=place > 0)
            own = replace(own, steps=ends[number] - before, **stage.changes)
            with work(f"stage {number + 1} of {len(stages)}"):
                result = _run(stage, out / stage.name, own)
            result = replace(result, step=before + result.step)
            if result.stopped not in ("done", "time"):
                return result
    return result


def step_ends(stages: Sequence[Stage], steps: int) -> list[int]:
    """After how many steps of the run each stage ends.

    Raises:
        InputError: there is no stage, a share is not positive, two have one name, or one has no step.
    """
    names, shares = [stage.name for stage in stages], [stage.share for stage in stages]
    if not stages or len(set(names)) < len(names) or min(shares) <= 0:
        raise InputError(f"Stages {names} with shares {shares}: give each its own name and a positive share.")
    total = sum(shares)
    # Counted from the end, so that what rounding leaves over goes to the first.
    after = [sum(shares[number + 1 :]) / total for number in range(len(shares))]
    ends = [steps - round(share * steps) for share in after]
    for name, first, last in zip(names, [0, *ends], ends, strict=False):
        if last <= first:
            listed = ", ".join(f"{share / total:.3g}" for share in shares)
            raise InputError(
                f"{steps} steps in shares of {listed} leave the stage {name!r} without one: give more steps."
            )
    return ends


def _is_over(stages: Sequence[Stage], number: int, out: Path) -> bool:
    """Whether a later stage has begun from what this one has written."""
    output = stages[number].output
    begun = any(list_checkpoints(out / later.name) for later in stages[number + 1 :])
    return begun and (output is None or output.exists())


def _deadlines(shares: list[float], options: TrainOptions) -> list[float | None]:
    """Seconds since `options.begun` at which each stage must end; None for no limit."""
    total = sum(shares)
    limit = options.max_seconds
    return [None if limit is None else limit * until / total for until in accumulate(shares)]


def _own_options(options: TrainOptions, seconds: float | None, *, later: bool) -> TrainOptions:
    now = time.perf_counter()
    if later and seconds is not None and options.begun is not None and options.begun + seconds - now < LEAST_SECONDS:
        return replace(options, begun=now, max_seconds=LEAST_SECONDS)
    return replace(options, max_seconds=seconds)


def _run(stage: Stage, folder: Path, options: TrainOptions) -> TrainResult:
    task = stage.begin(options)
    result = train(task, folder, options=options)
    stage.end(task, result)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # what the first process has written is there for all
    return result
