"""Masks as COCO keeps them: lengths of runs down the columns, in a few bytes.

Each length is written in groups of 5 bits, the lowest first, as letters from `0` on; from the fourth on it is the
difference from the length two before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class RunLengthMask:
    """A mask as runs.

    Attributes:
        height: pixels.
        width: pixels.
        counts: lengths of the runs in turns outside and inside, as letters.
    """

    height: int
    width: int
    counts: bytes

    @classmethod
    def of(cls, mask: Shaped[np.ndarray, "h w"]) -> RunLengthMask:
        """The runs of a mask; where it is not 0 is inside."""
        flat = (np.asarray(mask) != 0).T.reshape(-1)
        ends = np.concatenate((np.flatnonzero(np.diff(flat)) + 1, [flat.size]))
        lengths = np.diff(np.concatenate(([0], ends))).tolist()
        return cls(mask.shape[0], mask.shape[1], _letters([0, *lengths] if flat.size and flat[0] else lengths))

    @classmethod
    def parsed(cls, entry: Any) -> RunLengthMask:
        """From `size` (height, width) and `counts` of a file: letters, or plain lengths.

        Raises:
            ValueError: it has not that form.
        """
        if not isinstance(entry, Mapping) or "size" not in entry or "counts" not in entry:
            raise ValueError("its mask has no size and counts")
        size, counts = np.asarray(entry["size"]), entry["counts"]
        if size.shape != (2,) or size.dtype.kind not in "iu" or size.min() < 1:
            raise ValueError("the size of its mask is no height and width")
        height, width = size.tolist()
        if height * width > MOST_PIXELS:
            raise ValueError(f"its mask has {width} x {height} pixels")
        if isinstance(counts, list):
            if not all(type(length) is int and length >= 0 for length in counts):
                raise ValueError("the counts of its mask are no lengths")
            counts = _letters(counts)
        if isinstance(counts, str):
            counts = counts.encode()
        if not isinstance(counts, (bytes, bytearray)):
            raise ValueError("the counts of its mask are no letters")
        return cls(height, width, bytes(counts))

    def entry(self) -> dict[str, Any]:
        """As files have it."""
        return {"size": [self.height, self.width], "counts": self.counts}

    def pixels(self) -> UInt8[np.ndarray, "h w"]:
        """1 inside, 0 outside.

        Raises:
            ValueError: the runs do not fill the mask.
        """
        lengths = _lengths(self.counts)
        if min(lengths, default=0) < 0 or sum(lengths) != self.height * self.width:
            raise ValueError(f"the runs of its mask do not fill {self.width} x {self.height} pixels")
        inside = np.arange(len(lengths)) % 2
        return np.repeat(inside.astype(np.uint8), lengths).reshape(self.width, self.height).T


def _letters(lengths: list[int]) -> bytes:
    letters = bytearray()
    for number, length in enumerate(lengths):
        value = length - lengths[number - 2] if number > 2 else length
        while True:
            low, value = value & 31, value >> 5
            more = value != (-1 if low & 16 else 0)
            letters.append(48 + low + 32 * more)
            if not more:
                break
    return bytes(letters)


def _lengths(letters: bytes) -> list[int]:
    lengths: list[int] = []
    value = shift = 0
    for letter in letters:
        part = letter - 48
        if not 0 <= part < 64 or shift > 30:
            raise ValueError("the counts of its mask are no letters of runs")
        value |= (part & 31) << shift
        shift += 5
        if not part & 32:
            if part & 16:
                value -= 1 << shift
            lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the counts of its mask end within a run")
    return lengths
