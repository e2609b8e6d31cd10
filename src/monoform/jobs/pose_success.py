"""How often poses are right, over time and over the optimizer's steps: curves and a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from .pose_pictures import share_curves
from .pose_runs import Run

DEGREES, DISTANCE = 5.0, 0.05  # of the paper; the distance in world units
KINDS = ("rotation_below_5_degrees", "translation_below_0.05", "both")
Over = Literal["seconds", "steps"]


def success_shares(runs: Sequence[Run], at: Float[np.ndarray, " n"], over: Over) -> Float[np.ndarray, "3 n"]:
    """The shares of runs within 5 degrees, within 0.05 world units and within both, at times or after steps.

    A run that has ended stays where it ended; a step is an update (adam) or a rendering (lm).
    """
    reached = np.zeros((3, len(at)))
    for run in runs:
        path = np.array(run.path)
        when = path[:, 0] if over == "seconds" else np.arange(len(path))
        last = np.maximum(np.searchsorted(when, at, side="right") - 1, 0)
        turned, moved = path[last, 1] < DEGREES, path[last, 2] * run.distance < DISTANCE
        reached += np.stack((turned, moved, turned & moved))
    return reached / len(runs)


def success_sheet(results: Mapping[str, Sequence[Run]]) -> str:
    """The shares after every step, as a sheet of comma-separated values."""
    lines = [",".join(("optimizer", "step", *KINDS))]
    for name, runs in results.items():
        steps = np.arange(max(len(run.path) for run in runs), dtype=float)
        for step, shares in zip(steps, success_shares(runs, steps, "steps").T, strict=True):
            lines.append(",".join((name, f"{step:.0f}", *(f"{share:.4f}" for share in shares))))
    return "\n".join(lines) + "\n"


def success_picture(results: Mapping[str, Sequence[Run]], over: Over = "seconds") -> UInt8[np.ndarray, "h w 3"]:
    """The same shares as curves over a logarithm of seconds, or over steps."""
    series = {}
    for name, runs in results.items():
        if over == "seconds":
            longest = max(run.path[-1][0] for run in runs)
            at = np.geomspace(max(1e-2, 1e-3 * longest), max(longest, 2e-2), 200)
        else:
            at = np.arange(1, max(2, *(len(run.path) for run in runs)), dtype=float)
        for kind, shares in zip(("rotation", "translation", "both"), success_shares(runs, at, over), strict=True):
            series[f"{name}: {kind}"] = (at, shares)
    unit, title = ("s", "") if over == "seconds" else ("", ", over steps")
    return share_curves(series, f"share of runs within 5 degrees, within 0.05 world units, and both{title}", unit=unit)
