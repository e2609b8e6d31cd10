"""Wavelet filters of augmentations: a sharp low pass to resample by, and four bands."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""Scaling filters of the symlets of order 2 and 6 (Daubechies 1992)."""


def low_pass() -> Float[np.ndarray, " 12"]:
    """sym6, of sum 1."""
    low = np.array(SYM6)
    return low / low.sum()


def filter_bank() -> Float[np.ndarray, "4 43"]:
    """Four band-pass filters of sym2 that add up to all (equations 6-8 of the paper's appendix)."""
    low = np.array(SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low2, high2 = np.convolve(low, low[::-1]) / 2, np.convolve(high, high[::-1]) / 2
    bank = np.eye(4, 1)
    for band in range(1, 4):
        spread = np.stack([bank, np.zeros_like(bank)], axis=2).reshape(4, -1)[:, :-1]
        bank = np.stack([np.convolve(row, low2) for row in spread])
        start = (bank.shape[1] - len(high2)) // 2
        bank[band, start : start + len(high2)] += high2
    return bank
