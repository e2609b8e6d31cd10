"""Means of many rows, and differences between methods with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monoform.methods.lift.scores import MEASURES

DRAWS = 2000
DIFFERENCES = ("f_0.05", "iou", "psnr", "ssim")
Row = dict


def summary(rows: Sequence[Row], methods: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict:
    """Means and comparisons, of all objects and of the scans."""
    groups = {"all": list(rows), "scans": [row for row in rows if row["scan"]]}
    return {
        title: {
            "views": len(group),
            "means": {method: means(group, method) for method in methods},
            "comparisons": [comparison(group, *pair) for pair in pairs],
        }
        for title, group in groups.items()
        if group
    }


def means(rows: Sequence[Row], method: str) -> dict[str, float]:
    """Means over views; `failed`: how many views the method refused."""
    values = {key: float(np.mean([row[method][key] for row in rows])) for key in (*MEASURES, "seconds")}
    return values | {"failed": sum(row[method]["failed"] for row in rows)}


def comparison(rows: Sequence[Row], ours: str, other: str) -> dict:
    """Ratio of mean F@0.05 and differences of means, each with the 95 percent interval of a paired bootstrap.

    Objects, not views, are drawn with replacement: views of one object are alike.
    """
    names = sorted({row["object"] for row in rows})
    picks = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    result: dict = {"method": ours, "against": other}
    for key in DIFFERENCES:
        first, second = (by_object(rows, names, method, key) for method in (ours, other))
        result[key] = interval(first.mean() - second.mean(), (first - second)[picks].mean(1))
        if key == "f_0.05":
            ratios = first[picks].mean(1) / np.maximum(second[picks].mean(1), 1e-12)
            result["f_0.05_ratio"] = interval(first.mean() / max(second.mean(), 1e-12), ratios)
    return result


def by_object(rows: Sequence[Row], names: Sequence[str], method: str, key: str) -> np.ndarray:
    """Each object's mean over its views."""
    return np.array([np.mean([row[method][key] for row in rows if row["object"] == name]) for name in names])


def interval(value: float, draws: np.ndarray) -> dict[str, float]:
    """A value with the 2.5th and the 97.5th percentile of its bootstrap draws."""
    low, high = np.percentile(draws, (2.5, 97.5))
    return {"value": float(value), "low": float(low), "high": float(high)}


def lines(result: dict) -> list[str]:
    """The summary as text."""
    text = []
    for title, group in result.items():
        text.append(f"{title} ({group['views']} views)")
        for method, values in group["means"].items():
            text.append(f"  {method:16}" + "".join(f"  {key} {value:.4g}" for key, value in values.items()))
        for each in group["comparisons"]:
            text.append(f"  {each['method']} against {each['against']}")
            for key in ("f_0.05_ratio", *DIFFERENCES):
                sign = "" if key.endswith("ratio") else "+"
                spread = f"95 percent {each[key]['low']:{sign}.4f} to {each[key]['high']:{sign}.4f}"
                text.append(f"    {key:13} {each[key]['value']:{sign}.4f}, {spread}")
    return text
