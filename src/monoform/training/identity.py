"""What a training is of: in a folder goes on what was begun there, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .phase import Task

Value = str | int | float | bool | None | tuple[float, ...]
SIDE, DIFFERENCE = 4, 0.02  # of the picture of a picture; by which its numbers may differ on another machine


@runtime_checkable
class IdentifiedTask(Task, Protocol):
    """A task that can be told from others of the same shape."""

    def identity(self) -> Mapping[str, Value]:
        """What it is of, by names that a user knows; several numbers, as of `gist`, are compared with a tolerance."""
        ...


def gist(picture: Float[np.ndarray, "h w c"]) -> tuple[float, ...]:
    """A picture as 4 x 4 mean values, by which it is known again."""
    small = cv2.resize(np.ascontiguousarray(picture, dtype=np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return tuple(round(float(value), 4) for value in small.reshape(-1))


def require_same(found: Mapping[str, Any], asked: Mapping[str, Any], own: Mapping[str, Value], out: Path) -> None:
    """Refuse to go on with another training.

    Args:
        found: what the last checkpoint says of its training.
        asked: the options of the loop that decide the numbers.
        own: the task's identity; names that the checkpoint lacks, as older ones do, are not compared.
        out: the folder.

    Raises:
        InputError: something differs; the sentence names it.
    """
    asked = {**asked, **{name: value for name, value in own.items() if name in found}}
    for name, value in asked.items():
        if _same(found.get(name), value):
            continue
        if isinstance(value, tuple):
            raise InputError(f"{out} holds a training of other {name}: give the same, or another folder.")
        raise InputError(
            f"{out} holds a training with {name} {found.get(name)}, and {value} is asked for: give the same, or "
            "another folder."
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(abs(a - b) <= DIFFERENCE for a, b in zip(one, other, strict=True))
    return bool(one == other)
