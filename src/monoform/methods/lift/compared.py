"""Several methods on the same pictures: their means, and how sure the differences between them are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ...metrics.paired import Interval, difference_of_means, ratio_of_means
from ...text import printable

RATIO, RATIO_OF = "f_0.05_ratio", "f_0.05"
Row = Mapping[str, Any]  # object, view, scan, and the scores of each method by its label


def comparison(rows: Sequence[Row], labels: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Means and differences, of all objects and of the scans among them.

    Args:
        rows: one a picture.
        labels: of the methods.
        pairs: who is held against whom.
    """
    groups = {"all": list(rows), "scans": [row for row in rows if row["scan"]]}
    return {
        title: {
            "views": len(group),
            "means": {label: means(group, label) for label in labels},
            "comparisons": [_held_against(group, *pair) for pair in pairs],
        }
        for title, group in groups.items()
        if group
    }


def means(rows: Sequence[Row], label: str) -> dict[str, float]:
    """Means over pictures; of `failed`, the refused ones, their number."""
    values = {name: float(np.mean([row[label][name] for row in rows])) for name in rows[0][label]}
    return values | {"failed": float(sum(row[label]["failed"] for row in rows))}


def markdown(found: Mapping[str, Any]) -> str:
    """The comparison as tables: a row for each method, then one for each pair with 95 percent intervals."""
    tables = []
    for title, group in found.items():
        names = list(next(iter(group["means"].values())))
        table = [(f"{title}, {group['views']} views", *names), ("---", *["---:"] * len(names))]
        for label, values in group["means"].items():
            table.append((label, *(f"{values[name]:.4g}" for name in names)))
        tables.append(table)
        for each in group["comparisons"]:
            table = [(f"{title}: {each['method']} against {each['against']}", "95 percent"), ("---", "---:")]
            table += [(name, str(Interval(**value))) for name, value in each["figures"].items()]
            tables.append(table)
    return "\n".join("".join(f"| {printable(' | '.join(line))} |\n" for line in table) for table in tables)


def _held_against(rows: Sequence[Row], ours: str, theirs: str) -> dict[str, Any]:
    """Ratio of mean F@0.05 and differences of means: objects are drawn, since views of one object are alike."""
    names = sorted({row["object"] for row in rows})
    figures = {}
    for measure in rows[0][ours]:
        if measure in ("seconds", "failed"):
            continue
        pair = [_by_object(rows, names, label, measure) for label in (ours, theirs)]
        if measure == RATIO_OF:
            figures[RATIO] = asdict(ratio_of_means(*pair))
        figures[measure] = asdict(difference_of_means(*pair))
    return {"method": ours, "against": theirs, "figures": figures}


def _by_object(rows: Sequence[Row], names: Sequence[str], label: str, measure: str) -> np.ndarray:
    """Each object's mean over its views."""
    return np.array([np.mean([row[label][measure] for row in rows if row["object"] == name]) for name in names])
