"""One more schedule beside those of `monoform.training`: rates that fall by the same factor at every step."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Exponential:
    """From 1 to `floor` over `steps` steps, then constant: floor^(step / steps).

    Attributes:
        steps: the step at which the floor is reached.
        floor: share of the rate that is left at the end, above 0 and at most 1.
    """

    steps: int
    floor: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.floor <= 1:
            raise InputError(
                f"An exponential schedule has steps = {self.steps} and floor = {self.floor}; "
                "give at least 1 step and a floor above 0 and at most 1."
            )

    def __call__(self, step: int) -> float:
        """Factor on the rate at `step`, floor..1."""
        return self.floor ** min(step / self.steps, 1.0)
