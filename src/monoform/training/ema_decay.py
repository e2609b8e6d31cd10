"""How long averaged weights remember: decays as pure functions of the step, so that a resumed run meets the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError

Decay = Callable[[int], float]


@dataclass(frozen=True)
class Fixed:
    """The same decay at each step.

    Attributes:
        decay: share of the average that stays, 0..1.
    """

    decay: float

    def __call__(self, step: int) -> float:
        """Decay at `step`."""
        return self.decay


@dataclass(frozen=True)
class WarmUp:
    """min(decay, (1 + step) / (10 + step)): a shorter memory at the beginning.

    Attributes:
        decay: share of the average that stays in the end, 0..1.
    """

    decay: float

    def __call__(self, step: int) -> float:
        """Decay at `step`."""
        return min(self.decay, (1 + step) / (10 + step))


@dataclass(frozen=True)
class HalfLife:
    """Decay of a half-life in images: 0.5^(batch / images) a step.

    With `rampup`, the half-life is at most that share of the images seen so far (Karras et al. 2020): weights of the
    first steps are soon forgotten.

    Attributes:
        images: half-life in images, above 0.
        batch: images of a step, over all micro-batches and processes.
        rampup: share of the images seen so far, above 0; None for the full half-life from the start.
    """

    images: float
    batch: float
    rampup: float | None = None

    def __post_init__(self) -> None:
        if not (self.images > 0 and self.batch > 0 and (self.rampup is None or self.rampup > 0)):
            raise InputError(
                f"A half-life has images = {self.images}, batch = {self.batch}, rampup = {self.rampup}; give positive "
                "numbers."
            )

    def __call__(self, step: int) -> float:
        """Decay at `step`; 0 at the first with a ramp."""
        images = self.images if self.rampup is None else min(self.images, self.rampup * step * self.batch)
        return 0.5 ** (self.batch / images) if images else 0.0


@dataclass(frozen=True)
class EveryNth:
    """Averages at some steps only, for example at the end of each epoch or after each step of the generator.

    Attributes:
        every: steps from one to the next.
        decay: from the number of the update, 0, 1, 2 ..., to the decay.
        offset: the first step, 0..every - 1; None for the last of the first `every`.
    """

    every: int
    decay: Decay
    offset: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 <= self._first < self.every:
            raise InputError(
                f"Averages have every = {self.every} and offset = {self.offset}; give at least 1, and 0..every - 1."
            )

    @property
    def _first(self) -> int:
        return self.every - 1 if self.offset is None else self.offset

    def __call__(self, step: int) -> float:
        """Decay at `step`; 1 where nothing is averaged."""
        number, rest = divmod(step - self._first, self.every)
        return 1.0 if rest else self.decay(number)
