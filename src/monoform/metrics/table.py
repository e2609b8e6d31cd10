"""Scores of many objects: the means that papers print, as JSON and as a Markdown table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
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


def table_rows(summary: Mapping[str, Any]) -> list[tuple[str, int, Mapping[str, float]]]:
    """Category, number of objects and means: a row for each category where there are several, and one for all; where
    categories are `apart`, none for all."""
    if summary.get("apart"):
        return [(category or "-", own["objects"], own) for category, own in summary["categories"].items()]
    several = summary["categories"] if len(summary["categories"]) > 1 else {}
    rows = [(category or "-", own["objects"], own) for category, own in several.items()]
    return [*rows, ("all", summary["objects"], summary["total"])]


def markdown_of(summary: Mapping[str, Any]) -> str:
    """The table in Markdown."""
    names = list(summary["total"])
    lines = [("category", "objects", *names), ("---", *["---:"] * (len(names) + 1))]
    for category, objects, means in table_rows(summary):
        lines.append((category, str(objects), *(_figure(means.get(name)) for name in names)))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def csv_of(summary: Mapping[str, Any], more: Mapping[str, str] | None = None) -> str:
    """The same table with commas, all figures in full; `more` are columns that are the same in every row."""
    names, more = list(summary["total"]), more or {}
    lines = [["category", "objects", *names, *more]]
    for category, objects, means in table_rows(summary):
        lines.append([category, str(objects), *(str(means.get(name, "")) for name in names), *more.values()])
    return as_csv(lines)


def as_csv(lines: Iterable[Sequence[object]]) -> str:
    """Rows as text with commas."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _mean(rows: Sequence[ObjectScores]) -> dict[str, float]:
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    return {name: float(np.mean([row.scores[name] for row in rows if name in row.scores])) for name in names}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 2 else f"{value:.3f}"
