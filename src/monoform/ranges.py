"""Numbers that the user gives: finite, and within what the work behind them can bear."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from .errors import InputError

LARGEST_SEED = 2**63 - 1
"""What every generator of random numbers takes."""


def require_range(what: str, value: Any, low: float, high: float) -> None:
    """A number that lies in low..high, both included.

    Raises:
        InputError: it does not, or is not finite; the sentence begins with `what`.
    """
    if not low <= value <= high or not math.isfinite(value):
        raise InputError(f"{what} is {value}; it must lie in {low}..{'2^63-1' if high == LARGEST_SEED else high}.")


def require_ranges(owner: Any, whose: str, **ranges: tuple[float, float]) -> None:
    """Fields of a dataclass, each in its range; those that are None or hold several numbers, too.

    Args:
        whose: how sentences begin, as in "lift's".

    Raises:
        InputError: one is not; the sentence names it.
    """
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        for number in value if isinstance(value, (tuple, list)) else () if value is None else (value,):
            require_range(f"{whose} {name}", number, low, high)


def require_finite_fields(owner: Any, names: Mapping[str, str]) -> None:
    """Every number in the fields of a dataclass is finite and of at most 63 bits.

    Args:
        names: how sentences call a field, where not by its name.

    Raises:
        InputError: one is not; the sentence names it.
    """
    for item in dataclasses.fields(owner):
        value = getattr(owner, item.name)
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(f"{names.get(item.name, item.name)} is {number}; it must be a finite number.")
            if isinstance(number, int) and abs(number) > LARGEST_SEED:
                raise InputError(f"{names.get(item.name, item.name)} is {number}; it must lie within 2^63-1.")
