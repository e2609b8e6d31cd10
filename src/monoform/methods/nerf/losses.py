"""What the training of a scene makes small."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...render import RayRender
from .ray_bank import RayBatch

NARROW = 1e-5  # coverage this near to 0 or 1 is as good as that


def truth_over(batch: RayBatch, background: Tensor | float) -> Float[Tensor, "r 3"]:
    """The photos' colors, laid over a background where they are transparent."""
    alpha = batch.alpha[:, None]
    return batch.rgb * alpha + (1.0 - alpha) * background


def two_pass_loss(seen: RayRender, truth: Float[Tensor, "r 3"]) -> tuple[Tensor, Tensor]:
    """Mean squared errors of both networks together (equation 6 of NeRF), and that of the last one alone."""
    error = (seen.best.rgb - truth).square().mean()
    return error if seen.fine is None else error + (seen.coarse.rgb - truth).square().mean(), error


def opacity_entropy(alpha: Float[Tensor, "*r"]) -> Float[Tensor, ""]:
    """Mean entropy of coverages: 0 where each is 0 or 1, which clears fog."""
    cover = alpha.clamp(NARROW, 1.0 - NARROW)
    return -(cover * cover.log() + (1.0 - cover) * (1.0 - cover).log()).mean()


def psnr_of(error: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of a mean squared error of colors 0..1."""
    return -10.0 * torch.log10(error.detach())
