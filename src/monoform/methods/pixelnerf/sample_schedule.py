"""How many samples a ray has, by how much a training has seen: few in the beginning, which is quicker."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from ...errors import InputError
from .config import Sampling


@dataclass(frozen=True)
class SampleSchedule:
    """Sampling of a training's rays: `sampling`, and from each of `seen` on with other numbers of samples.

    Attributes:
        sampling: before the first of them.
        seen: numbers of objects that have been seen, ascending.
        coarse: samples of a ray from each of them on.
        fine: samples of a ray besides, likewise.
    """

    sampling: Sampling
    seen: tuple[int, ...] = ()
    coarse: tuple[int, ...] = ()
    fine: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.seen) == len(self.coarse) == len(self.fine):
            raise InputError(
                f"pixelNeRF's samples_from has {len(self.seen)} numbers, coarse_samples {len(self.coarse)} and "
                f"fine_samples {len(self.fine)}; give as many of each."
            )
        if any(number < 0 for number in self.seen) or list(self.seen) != sorted(set(self.seen)):
            raise InputError(f"pixelNeRF's samples_from is {' '.join(map(str, self.seen))}; give ascending numbers.")
        for number in range(len(self.seen)):
            self._numbered(number)  # refuses numbers of samples that cannot be

    def at(self, seen: int) -> Sampling:
        """The sampling after so many objects."""
        number = bisect_right(self.seen, seen) - 1
        return self.sampling if number < 0 else self._numbered(number)

    @property
    def last(self) -> Sampling:
        """The sampling in the end."""
        return self._numbered(len(self.seen) - 1) if self.seen else self.sampling

    def _numbered(self, number: int) -> Sampling:
        return replace(self.sampling, coarse=self.coarse[number], fine=self.fine[number])
