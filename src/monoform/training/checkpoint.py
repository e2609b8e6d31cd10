"""Checkpoints: one file that holds all a training needs to go on, made of tensors and plain containers only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..inputs.checkpoints import read_checkpoint
from ..outputs import atomic_stream

FORMAT = "monoform training 1"
_NAME = re.compile(r"step-(\d{9,})\.pt")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after `step` steps.

    No state of a random generator is in it: each draw is seeded by its seed, step and shard. Nor is that of a
    schedule, which is a function of the step.

    Attributes:
        step: steps done.
        model: the module's state_dict.
        ema: averaged weights under the same names, or None.
        optimizers: name of a phase -> state_dict of its optimizer.
        options: the options that decide the numbers.
        sums: of the metrics since the last line of the log.
        counts: of the metrics since the last line of the log.
        seconds: time spent.
    """

    step: int
    model: dict[str, Tensor]
    ema: dict[str, Tensor] | None
    optimizers: dict[str, dict[str, Any]]
    options: dict[str, Any]
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def checkpoint_path(out: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return out / "checkpoints" / f"step-{step:09d}.pt"


def list_checkpoints(out: Path) -> list[Path]:
    """The checkpoints of a training, oldest first."""
    found = [(match, path) for path in (out / "checkpoints").glob("step-*.pt") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found)]


def save_checkpoint(
    out: Path, checkpoint: Checkpoint, *, keep: int, stays: Callable[[int], bool] = lambda step: False
) -> Path:
    """Write a checkpoint whole or not at all, then remove all but the last `keep`.

    Args:
        stays: of a checkpoint's step, whether it is not removed.

    Raises:
        InputError: the folder cannot be written.
    """
    path = checkpoint_path(out, checkpoint.step)
    content = {"format": FORMAT, **{name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}}
    with atomic_stream(path) as stream:
        torch.save(content, stream)
    for old in list_checkpoints(out)[:-keep]:
        if not stays(int(old.stem.removeprefix("step-"))):
            old.unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; code in it is never run.

    Raises:
        InputError: the file is missing, truncated, or no checkpoint of a training.
    """
    content = read_checkpoint(
        path, "remove it to go on from the one before", missing="give a file from a folder checkpoints/"
    )
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is no checkpoint of a monoform training: give a file from a folder checkpoints/.")
    if "optimisers" in content:  # as earlier versions wrote it
        content["optimizers"] = content.pop("optimisers")
    fields: dict[str, Any] = {name: content.get(name) for name in Checkpoint.__dataclass_fields__}
    wrong = [name for name, value in fields.items() if not _is_valid(name, value)]
    if wrong:
        raise InputError(f"The checkpoint {path} is damaged: its entry {wrong[0]!r} is missing or of another kind.")
    return Checkpoint(**fields)


def _is_valid(name: str, value: Any) -> bool:
    if name == "step":
        return isinstance(value, int) and value >= 0
    if name == "seconds":
        return isinstance(value, float)
    if name == "ema" and value is None:
        return True
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return False
    kind = {"model": Tensor, "ema": Tensor, "optimizers": dict, "sums": float, "counts": int}.get(name, object)
    return all(isinstance(item, kind) for item in value.values())


def require_same_shapes(found: dict[str, Tensor], wanted: dict[str, Tensor], source: str | Path) -> None:
    """Compare the tensors of a file with those of a module.

    Raises:
        InputError: a name or a shape differs; the sentence names the first.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(
            f"{source} is of another architecture: it lacks {missing[0]!r}, one of {len(missing)} missing tensors."
        )
    unknown = [name for name in found if name not in wanted]
    if unknown:
        raise InputError(
            f"{source} is of another architecture: its {unknown[0]!r}, one of {len(unknown)}, has no place."
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise InputError(
                f"{source} is of another architecture: {name!r} is {tuple(found[name].shape)} in it and "
                f"{tuple(tensor.shape)} in the model."
            )
