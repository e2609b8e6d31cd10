"""Weights that a training keeps besides the last: the best so far, and those of each evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from ..errors import InputError


def keep_weights(
    save: Callable[[Path], None],
    out: Path,
    step: int,
    figures: Mapping[str, float],
    *,
    best: Tensor,
    metric: str | None,
    snapshots: bool,
) -> None:
    """Write the weights after an evaluation to OUT/best where they are, and to OUT/snapshots where they are asked for.

    Args:
        save: writes them to a folder.
        figures: of the evaluation, by name.
        best: the least of the metric so far, a number of the task's state; it is brought up to date.
        metric: by which weights are the best; None where nothing is measured.

    Raises:
        InputError: there is no such metric.
    """
    if snapshots:
        save(out / "snapshots" / f"{step:07d}")
    if metric is None:
        return
    if metric not in figures:
        raise InputError(f"There is no metric {metric!r}: choose one of {', '.join(figures)}.")
    if figures[metric] < float(best):
        best.fill_(figures[metric])
        save(out / "best")
