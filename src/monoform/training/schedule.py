"""Learning-rate schedules: pure functions of the step, so that a resumed run meets the same rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """The full rate, after a linear rise.

    Attributes:
        warmup: steps of the rise, at rates of (step + 1) / warmup.
    """

    warmup: int = 0

    def __call__(self, step: int) -> float:
        """Factor on the learning rate at `step`, 0..1."""
        return _warmup(step, self.warmup)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 to `floor` over `steps` steps, after a linear rise (Loshchilov and Hutter 2017, eq. 5).

    Attributes:
        steps: the step at which the floor is reached; it stays there.
        warmup: steps of the rise, part of `steps`.
        floor: share of the rate that is left at the end, 0..1.
    """

    steps: int
    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.steps <= self.warmup:
            raise InputError(f"A cosine schedule of {self.steps} steps has no room for {self.warmup} steps of warm-up.")

    def __call__(self, step: int) -> float:
        """Factor on the learning rate at `step`, floor..1."""
        share = min(max((step - self.warmup) / (self.steps - self.warmup), 0.0), 1.0)
        fall = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))
        return _warmup(step, self.warmup) * fall


@dataclass(frozen=True)
class Steps:
    """A rate that falls at some steps, after a linear rise.

    Attributes:
        milestones: steps from which the rate is multiplied by `factor` once more.
        factor: on the rate.
        warmup: steps of the rise.
    """

    milestones: tuple[int, ...]
    factor: float = 0.1
    warmup: int = 0

    def __call__(self, step: int) -> float:
        """Factor on the learning rate at `step`."""
        passed = sum(step >= milestone for milestone in self.milestones)
        return _warmup(step, self.warmup) * self.factor**passed


def _warmup(step: int, warmup: int) -> float:
    return min((step + 1) / warmup, 1.0) if warmup else 1.0
