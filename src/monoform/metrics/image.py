"""Similarity of two images."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Shaped
from skimage.metrics import structural_similarity

from ..errors import InputError
from .arrays import Array, as_array

SSIM_WINDOW = 7


def psnr(image: Shaped[Array, "*shape"], reference: Shaped[Array, "*shape"], *, data_range: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(data_range^2 / mean squared error); infinite for equal images."""
    error = float(np.mean((as_array(image) - as_array(reference)) ** 2))
    return math.inf if error == 0 else 10.0 * math.log10(data_range**2 / error)


def ssim(image: Shaped[Array, "h w c"], reference: Shaped[Array, "h w c"], *, data_range: float = 1.0) -> float:
    """Structural similarity (Wang et al. 2004), mean over channels and pixels; 1 for equal images.

    The variant of scikit-image's defaults that published evaluations print: uniform 7 x 7 window, sample covariance,
    K1 = 0.01, K2 = 0.03, the outer 3 pixels left out, float64.

    Raises:
        InputError: an image is smaller than the window.
    """
    edge = (SSIM_WINDOW - 1) // 2
    inner = slice(edge, -edge)
    return float(ssim_map(image, reference, data_range=data_range)[inner, inner].mean(dtype=np.float64))


def ssim_map(
    image: Shaped[Array, "h w c"], reference: Shaped[Array, "h w c"], *, data_range: float = 1.0
) -> Shaped[np.ndarray, "h w c"]:
    """Structural similarity of the window around each pixel, as `ssim` averages it without the outer 3 pixels.

    Raises:
        InputError: an image is smaller than the window.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise InputError(f"SSIM of a {image.shape[1]} x {image.shape[0]} image; both sides must be at least 7 pixels.")
    pair = as_array(image), as_array(reference)
    return np.asarray(
        structural_similarity(*pair, win_size=SSIM_WINDOW, channel_axis=-1, data_range=data_range, full=True)[1]
    )
