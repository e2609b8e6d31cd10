"""The same surfaces by the protocols of LIST, DISN and occupancy networks side by side, and by what the camera saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...metrics.evaluation import SECONDS
from ...metrics.table import as_csv
from ...outputs import atomic_file
from .protocols import disn_f_score

TABLE, SHEET = "protocols.md", "protocols.csv"
COLUMNS = ("IoU", "Chamfer-L1", "Chamfer-L2", "F-score at 1 %", "EMD", "normals")
SCALES = """
- LIST: the longest side is 1; Chamfer-L1 is the mean of accuracy and completeness, Chamfer-L2 that of both squared,
  times 10,000.
- DISN: in the unit sphere; Chamfer-L2 is the sum of both directions of 2048 vertices, times 1000; 1 % is of 2.5; EMD is
  a hundredth of the sum; IoU is of the cells that the surfaces pass through.
- OccNet: Chamfer-L1 in tenths of the longest side; normals is the mean absolute cosine.
"""


def write_side_by_side(out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
    """Write protocols.md, of all objects, and protocols.csv, of each category too; what is printed of it, or nothing
    where LIST's own protocol stands alone."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for name, content in contents.items():
        groups.setdefault(name.split("/")[0], []).append(content)
    means = {category: _means(own) for category, own in sorted(groups.items())}
    whole = _means(list(contents.values()))
    names = list(whole)
    rows = [[category, *(own.get(name, "") for name in names)] for category, own in {**means, "all": whole}.items()]
    with atomic_file(out / SHEET) as file:
        file.write_text(as_csv([["category", *names], *rows]), encoding="utf-8")
    told = _protocols(whole) + _parts(whole)
    with atomic_file(out / TABLE) as file:
        file.write_text(f"{told}{SCALES}", encoding="utf-8")
    return told if len([name for name in names if name.startswith(("disn_", "occnet_", "visible_"))]) else ""


def _means(contents: list[Mapping[str, Any]]) -> dict[str, float]:
    """Means over objects, and what DISN makes of such means."""
    names = [
        name for name in dict.fromkeys(key for each in contents for key in each) if name not in (SECONDS, "images")
    ]
    found = {name: float(np.mean([each[name] for each in contents if name in each])) for name in names}
    for name in list(found):
        if name.startswith("disn_precision_"):
            percent = name.removeprefix("disn_precision_")
            found[f"disn_fscore_{percent}"] = disn_f_score(found[name], found[f"disn_recall_{percent}"])
    if {"completeness", "accuracy"} <= set(found):
        found["chamfer_l1"] = 0.5 * (found["completeness"] + found["accuracy"])
    return found


def _protocols(means: Mapping[str, float]) -> str:
    sources = {
        "LIST": ("iou", "chamfer_l1", "chamfer_l2", "fscore_1.0", "emd", ""),
        "DISN": ("disn_iou", "", "disn_chamfer_l2", "disn_fscore_1", "disn_emd", ""),
        "OccNet": ("occnet_iou", "occnet_chamfer_l1", "", "occnet_fscore_1", "", "occnet_normals"),
    }
    return _table(("protocol", *COLUMNS), sources, means)


def _parts(means: Mapping[str, float]) -> str:
    kinds = ("completeness", "accuracy", "fscore_1")
    sources = {part: tuple(f"{part}_{kind}" for kind in kinds) for part in ("visible", "occluded")}
    table = _table(("part", *kinds), sources, means)
    share = means.get("visible_share")
    return table if share is None else f"{100 * share:.0f} % of the true surfaces are visible.\n\n{table}"


def _table(head: tuple[str, ...], sources: Mapping[str, tuple[str, ...]], means: Mapping[str, float]) -> str:
    """Rows of which at least one figure is known."""
    known = {row: names for row, names in sources.items() if any(name in means for name in names)}
    if not known:
        return ""
    lines = [head, ("---", *["---:"] * (len(head) - 1))]
    for row, names in known.items():
        lines.append((row, *(f"{means[name]:.4g}" if name in means else "-" for name in names)))
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"
