"""Figures of one picture beside its photo, as the release computes them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...metrics import psnr, ssim

CAP = 60.0
"""Of the signal-to-noise ratio, in dB: that of equal images."""
THRESHOLD, SMALL = 0.5, 1e-6


def capped_psnr(picture: Float[Tensor, "h w 3"], photo: Float[Tensor, "h w 3"]) -> float:
    """In dB, of values clamped to 0..1."""
    return min(CAP, psnr(picture.clamp(0, 1), photo.clamp(0, 1)))


def similarity(picture: Float[Tensor, "h w c"], photo: Float[Tensor, "h w c"]) -> float:
    """Structural similarity of values clamped to 0..1."""
    return ssim(picture.clamp(0, 1), photo.clamp(0, 1))


def opacity_iou(opacity: Float[Tensor, "h w"], mask: Float[Tensor, "h w"]) -> float:
    """Shared over joint area of where both are above one half; two empty ones agree."""
    ours, theirs = opacity > THRESHOLD, mask > THRESHOLD
    shared, joint = torch.count_nonzero(ours & theirs), torch.count_nonzero(ours | theirs)
    return float((shared + SMALL) / (joint + SMALL))
