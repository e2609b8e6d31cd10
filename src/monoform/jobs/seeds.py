"""Several results of one photo, each from random numbers of its own, and which of them is the best."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..progress import work
from ..scene.result_files import MESH
from .batch import Item, Outcome
from .figures import clip_similarity

BETTER = {"psnr": 1, "iou": 1, "fog": -1, "clip": 1}  # which way each figure is better
MEAN = "mean"


def seeded(items: Sequence[Item], seeds: int, first: int) -> list[Item]:
    """Each item `seeds` times, with the seeds from `first` on, in the folders NAME_seed_SEED."""
    return [
        replace(item, folder=item.folder.with_name(f"{item.folder.name}_seed_{seed}"), seed=seed)
        for item in items
        for seed in range(first, first + seeds)
    ]


def ranked(outcomes: Sequence[Outcome], by: str = MEAN) -> list[Outcome]:
    """The outcomes of one photo, the best first, with their ranks; what failed comes last, without one.

    Args:
        by: one of `BETTER`; or "mean": the mean of the ranks by each figure that all of them have. What is equal has
            the better rank, and at last the order of the outcomes decides.
    """
    good = [outcome for outcome in outcomes if outcome.status != "failed"]
    names = [name for name in (BETTER if by == MEAN else (by,)) if all(_has(outcome, name) for outcome in good)]
    places = [sum(_place(outcome, good, name) for name in names) for outcome in good]
    order = sorted(range(len(good)), key=places.__getitem__)
    best = [replace(good[index], rank=rank) for rank, index in enumerate(order, start=1)]
    return best + [outcome for outcome in outcomes if outcome.status == "failed"]


def with_clip(outcomes: Sequence[Outcome], out: Path, model: Any) -> list[Outcome]:
    """The outcomes, each result's other sides compared to its photo by a model that `open_clip` gives."""
    found = []
    with work("comparing all sides to the photo", len(outcomes), unit="result") as show:
        for number, each in enumerate(outcomes, start=1):
            if each.status != "failed":
                with suppress(InputError):  # a kept result that cannot be read has no such figure
                    each = replace(each, clip=clip_similarity(out / str(each.folder), model))
            found.append(each)
            show(number)
    return found


def are_the_same(outcomes: Sequence[Outcome], out: Path) -> bool:
    """Whether all results of a photo have the very same mesh: their method draws nothing."""
    files = [out / str(each.folder) / MESH for each in outcomes if each.status != "failed"]
    return len(files) > 1 and all(filecmp.cmp(files[0], file, shallow=False) for file in files[1:])


def _has(outcome: Outcome, name: str) -> bool:
    return getattr(outcome, name) is not None


def _place(outcome: Outcome, among: Sequence[Outcome], name: str) -> int:
    """How many of them are better by this figure."""
    own = BETTER[name] * getattr(outcome, name)
    return sum(BETTER[name] * getattr(other, name) > own for other in among)
