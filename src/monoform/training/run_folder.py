"""The folder of a training: its own, or to be; one process trains in it at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..outputs import Kind, claimed, require_replaceable
from .checkpoint import list_checkpoints
from .logger import PICTURES
from .options import Diverged
from .weights import TRAINED, weights_kind

RUN = Kind(
    "training of monoform",
    "training.json",
    lambda record: () if record.get("writer") == TRAINED else None,
    spare=frozenset({"metrics.jsonl", "tensorboard", PICTURES}),
    finished=lambda folder: bool(list_checkpoints(folder)) or any(map(list_checkpoints, _stages(folder))),
)


@contextmanager
def run_folder(out: str | Path, *, first: bool | None = None) -> Iterator[None]:
    """Claim the folder of a training, and look whether its weights may be written at the end.

    Args:
        first: whether this is the first of a training's processes, which alone writes; None: as launchers tell.

    Raises:
        InputError: the folder or its weights are the user's, or another process trains in it.
        WriteError: it cannot be written.
    """
    out = Path(out)
    if not (is_first() if first is None else first):
        yield
        return
    with claimed(out, RUN) as place:
        require_replaceable(out / "weights", weights_kind(TRAINED))
        if place.stored is None:
            place.record({"writer": TRAINED})
        diverged = None
        try:
            yield
        except Diverged as error:  # its metrics tell why: they stay, with or without a checkpoint
            diverged = error
    if diverged is not None:
        raise diverged


def is_first() -> bool:
    """Whether this is the first of a training's processes, as launchers tell."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


def _stages(folder: Path) -> list[Path]:
    """Trainings within a training."""
    return [path.parent for path in folder.glob("*/checkpoints")]
