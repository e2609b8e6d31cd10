"""Error of depth maps."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Shaped

from ..errors import InputError
from .arrays import Array, as_array

Alignment = Literal["none", "scale", "standard"]


def depth_error(
    depth: Shaped[Array, "h w"], true: Shaped[Array, "h w"], mask: Bool[np.ndarray, "h w"], *, align: Alignment
) -> float:
    """Mean squared difference of depths within the mask.

    Args:
        align: "none" compares in the units that are given; "scale" after the best scale and shift of `depth` (what is
            left of it, in units of the truth); "standard" after bringing both to mean 0 and deviation 1, as papers on
            generators print it against depths of unknown scale: 0 for the same shape, 2 for unrelated ones.

    Raises:
        InputError: the mask holds fewer than two pixels.
    """
    ours, theirs = as_array(depth)[mask], as_array(true)[mask]
    if len(ours) < 2:
        raise InputError(f"A depth error of {len(ours)} pixels; the mask must hold at least 2.")
    if align == "scale":
        both = np.stack((ours, np.ones_like(ours)), axis=1)
        ours = both @ np.linalg.lstsq(both, theirs, rcond=None)[0]
    elif align == "standard":
        ours, theirs = _standard(ours), _standard(theirs)
    return float(((ours - theirs) ** 2).mean())


def _standard(values: np.ndarray) -> np.ndarray:
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation > 0 else 1.0)
