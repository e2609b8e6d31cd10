"""Scores of many objects: the means that papers print, as JSON and as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ObjectScores:
    """Means over the images of one object.

    Attributes:
        name: of the object.
        category: of the object.
        images: number of images.
        scores: means over the images, by name.
    """

    name: str
    category: str
    images: int
    scores: Mapping[str, float]


def summary_of(rows: Sequence[ObjectScores]) -> dict[str, Any]:
    """Means over objects, each object counting once: of every category, and of all.

    A score that an object lacks is left out of that mean.
    """
    categories = sorted({row.category for row in rows})
    return {
        "objects": len(rows),
        "images": sum(row.images for row in rows),
        "total": _mean(rows),
        "categories": {
            category: {"objects": len(own)} | _mean(own)
            for category in categories
            for own in [[row for row in rows if row.category == category]]
        },
        "each": {
            (f"{row.category}/{row.name}" if row.category else row.name): {"images": row.images} | dict(row.scores)
            for row in rows
        },
    }


def markdown_of(summary: Mapping[str, Any]) -> str:
    """A line a category, and one for all."""
    names = list(summary["total"])
    lines = [("category", "objects", *names), ("---", *["---:"] * (len(names) + 1))]
    if len(summary["categories"]) > 1:
        lines += [
            (category or "-", str(own["objects"]), *(_figure(own.get(name)) for name in names))
            for category, own in summary["categories"].items()
        ]
    lines.append(("all", str(summary["objects"]), *(_figure(summary["total"][name]) for name in names)))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _mean(rows: Sequence[ObjectScores]) -> dict[str, float]:
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    return {name: float(np.mean([row.scores[name] for row in rows if name in row.scores])) for name in names}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 2 else f"{value:.3f}"
