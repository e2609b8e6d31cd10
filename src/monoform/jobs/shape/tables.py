"""The tables of a comparison: means by method, and how sure the differences from the first are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...metrics.paired import Interval, difference_of_means
from ...outputs import atomic_file
from ...text import printable
from .options import NUMBERS, TEXT
from .scores import ALIGNMENTS, ALONE

NAMES = {
    "none": "no alignment: each answer where its camera says",
    "icp": "similarity by closest points, from there",
    "turns": "similarity by closest points, from 120 turns",
}
Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]  # scores by label, then by input


def write_tables(out: Path, rows: Rows, objects: Mapping[str, str], told: str) -> str:
    """Write shape.json and shape.md; the latter's text.

    Args:
        rows: what was measured.
        objects: of each input, the name of its object.
        told: which inputs these are.
    """
    means = {label: _means(list(own.values())) for label, own in rows.items()}
    first = next(iter(rows), "")
    against = {label: _differences(rows[first], rows[label], objects) for label in rows if label != first}
    found = {"told": told, "means": means, "first": first, "differences": against, "each": rows}
    text = "\n".join(
        [f"{printable(told)}\n", *_means_tables(means), *_difference_tables(first, against), *_failures(rows)]
    )
    with atomic_file(out / NUMBERS) as numbers, atomic_file(out / TEXT) as draft:
        numbers.write_text(json.dumps(found, indent=1), encoding="utf-8")
        draft.write_text(text, encoding="utf-8")
    return f"{text}\n"


def _means(contents: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Means over pictures, of what is known of each; of `failed` their number."""
    names = dict.fromkeys(name for each in contents for name, value in each.items() if _is_number(value))
    found = {name: float(np.mean([each[name] for each in contents if name in each])) for name in names}
    found.pop("seconds", None)  # of the measurement
    return found | {"answers": float(len(contents)), "failed": float(sum(each["failed"] for each in contents))}


def _differences(
    ours: Mapping[str, Mapping[str, Any]], theirs: Mapping[str, Mapping[str, Any]], objects: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Means of the first less those of another, over the inputs that both have; objects are drawn, not pictures."""
    shared = [name for name in ours if name in theirs]
    found = {}
    for measure in dict.fromkeys(name for each in shared for name in ours[each]):
        pairs: dict[str, list[tuple[float, float]]] = {}
        for name in shared:
            both = ours[name].get(measure), theirs[name].get(measure)
            if _is_number(both[0]) and _is_number(both[1]):
                pairs.setdefault(objects[name], []).append(both)  # type: ignore[arg-type]
        if pairs and measure not in ("seconds", "failed"):
            means = np.array([np.mean(each, axis=0) for each in pairs.values()])
            found[measure] = asdict(difference_of_means(means[:, 0], means[:, 1])) | {"objects": len(pairs)}
    return found


def _means_tables(means: Mapping[str, Mapping[str, float]]) -> list[str]:
    every = list(dict.fromkeys(name for each in means.values() for name in each))
    tables = []
    for alignment in ALIGNMENTS:
        names = [name for name in every if name.startswith(f"{alignment}_")]
        if names:
            head = [name.removeprefix(f"{alignment}_") for name in names]
            tables.append(_table(NAMES[alignment], head, _columns(means, names)))
    names = [name for name in (*ALONE, "answers") if name in every]
    return [*tables, _table("as they are", names, _columns(means, names))]


def _columns(means: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> dict[str, list[str]]:
    return {label: [f"{own[name]:.4g}" if name in own else "-" for name in names] for label, own in means.items()}


def _difference_tables(first: str, against: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    tables = []
    for label, figures in against.items():
        rows = {name: [_told(each)] for name, each in figures.items()}
        tables.append(_table(f"{first} less {label}, 95 percent over objects", ["difference"], rows))
    return tables


def _told(figure: Mapping[str, float]) -> str:
    if figure["objects"] < 2:
        return f"{figure['value']:.4f} (one object tells no interval)"
    return str(Interval(figure["value"], figure["low"], figure["high"]))


def _failures(rows: Rows) -> list[str]:
    told = [
        f"- {printable(label)}, {printable(name)}: {printable(content['reason'])}"
        for label, own in rows.items()
        for name, content in own.items()
        if content.get("reason")
    ]
    return ["Without an answer, which counts as the worst:\n\n" + "\n".join(told) + "\n"] if told else []


def _table(title: str, names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [(title, *names), ("---", *["---:"] * len(names))]
    lines += [(printable(label), *values) for label, values in rows.items()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
