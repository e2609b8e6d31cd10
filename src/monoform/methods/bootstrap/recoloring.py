"""Colors of a palette replaced by their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError

WORD = re.compile(r"(\d{1,4}):#?([0-9a-fA-F]{6})")


def replacements(words: Sequence[str]) -> dict[int, tuple[float, float, float]]:
    """Colors -1..1 by their number in the palette, of words such as 3:#c02020.

    Raises:
        InputError: a word is none.
    """
    found = {}
    for word in words:
        match = WORD.fullmatch(word)
        if match is None:
            raise InputError(f"bootstrap's recolor is {word!r}; give NUMBER:RRGGBB, as in 3:c02020.")
        red, green, blue = (int(match[2][start : start + 2], 16) / 127.5 - 1 for start in (0, 2, 4))
        found[int(match[1])] = (red, green, blue)
    return found


def recolored(palette: Float[Tensor, "n k 3"] | None, words: Sequence[str]) -> Float[Tensor, "n k 3"] | None:
    """A palette with some of its colors replaced.

    Raises:
        InputError: there is no palette, or it has no color of such a number.
    """
    wanted = replacements(words)
    if not wanted:
        return palette
    count = 0 if palette is None else palette.shape[1]
    if palette is None or max(wanted) >= count:
        has = f"has the colors 0 to {count - 1}" if count else "has no palette"
        raise InputError(f"bootstrap's recolor names color {max(wanted)}, but this generator {has}: leave it out.")
    changed = palette.clone()
    for number, color in wanted.items():
        changed[:, number] = torch.tensor(color).to(changed)
    return changed
