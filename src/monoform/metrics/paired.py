"""How sure a difference between two methods is that were measured on the same objects: a paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 percent interval.

    Attributes:
        value: of all objects.
        low: 2.5th percentile of the draws.
        high: 97.5th percentile of the draws.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def difference_of_means(ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"]) -> Interval:
    """Mean of ours less that of theirs; objects are drawn with replacement, both methods' figures together."""
    gaps = ours - theirs
    return _interval(float(gaps.mean()), gaps[_picks(len(gaps))].mean(axis=1))


def ratio_of_means(ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"]) -> Interval:
    """Mean of ours over that of theirs, positive ones; drawn in the same way."""
    picks = _picks(len(ours))
    ratios = ours[picks].mean(axis=1) / np.maximum(theirs[picks].mean(axis=1), 1e-12)
    return _interval(float(ours.mean() / max(theirs.mean(), 1e-12)), ratios)


def _picks(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(count, size=(DRAWS, count))


def _interval(value: float, draws: np.ndarray) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return Interval(value, float(low), float(high))
