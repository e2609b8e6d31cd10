"""Numbers that change in the course of a fit."""

from __future__ import annotations

import math

from ...errors import InputError
from ...ranges import require_range

WAYS = ("linear", "log")


def annealed(value: str, step: int, steps: int, *, published: bool = False) -> float:
    """The value at a step.

    Args:
        value: "v": v always. "a b": from a to b over all steps. "a b n linear" or "a b n log": from a to b over the
            first n steps, by equal differences or by equal ratios.
        steps: of the whole fit.
        published: what the published code makes of four: constant, as if n were counted in whole fits.

    Raises:
        InputError: it is none of these.
    """
    start, end, length, way = _read(value)
    done, whole = (step, length or steps) if not (published and length) else (length, steps)
    share = min(done / whole, 1.0)
    if way == "log":
        return math.exp((1.0 - share) * math.log(start) + share * math.log(end))
    return (1.0 - share) * start + share * end


def require_annealed(what: str, value: str, low: float, high: float) -> tuple[float, float]:
    """The first and the last number of such a value.

    Args:
        low: least number that it may have.
        high: greatest.

    Raises:
        InputError: it is none, or a number lies elsewhere; the sentence begins with `what`.
    """
    try:
        ends = _read(value)[:2]
    except InputError as error:
        raise InputError(f"{what} is {value!r}; {error}") from None
    for each in ends:
        require_range(what, each, low, high)
    return ends


def is_zero(value: str) -> bool:
    """Whether a value is 0 at all steps."""
    return _read(value)[:2] == (0.0, 0.0)


def _read(value: str) -> tuple[float, float, float | None, str]:
    said = "give one number, two (from, to), or two with a count of steps and linear or log."
    words = str(value).replace(",", " ").split()
    if len(words) not in (1, 2, 4) or (len(words) == 4 and words[3] not in WAYS):
        raise InputError(said)
    try:
        numbers = [float(word) for word in words[:3]]
    except ValueError:
        raise InputError(said) from None
    if not all(map(math.isfinite, numbers)) or (len(numbers) == 3 and numbers[2] < 1):
        raise InputError(said)
    way = words[3] if len(words) == 4 else "linear"
    if way == "log" and min(numbers[:2]) <= 0:
        raise InputError("equal ratios need two positive numbers.")
    return numbers[0], numbers[min(1, len(numbers) - 1)], numbers[2] if len(numbers) == 3 else None, way
