"""What generators and discriminators of images are trained with: scores, R1, a blur that fades, a strength that adapts.

Schedules are functions of what was seen so far: a resumed training meets the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def generator_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log sigmoid(score): what a generator makes should look real."""
    return functional.softplus(-score).mean()


def fake_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log(1 - sigmoid(score)): what a generator made should be told from what is real."""
    return functional.softplus(score).mean()


def real_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log sigmoid(score): real images should be taken for real."""
    return functional.softplus(-score).mean()


def gradient_penalty(score: Float[Tensor, "n 1"], images: Sequence[Float[Tensor, "n c _ _"]]) -> Float[Tensor, " n"]:
    """R1 (Mescheder et al. 2018): the squared gradient of each score with respect to its images, over all pixels."""
    gradients = torch.autograd.grad(score.sum(), list(images), create_graph=True)
    return torch.stack([gradient.square().sum(dim=(1, 2, 3)) for gradient in gradients]).sum(dim=0)


def blur_sigma(seen: float, *, start: float, fade: float) -> float:
    """Of the blur on what the discriminator sees: falls linearly to 0.

    Args:
        seen: images, or steps, so far.
        start: in the beginning, in pixels.
        fade: images, or steps, until it is 0; 0 for none at all.
    """
    return max(1 - seen / fade, 0.0) * start if fade > 0 else 0.0


def blurred(images: Float[Tensor, "n c h w"], sigma: float) -> Float[Tensor, "n c h w"]:
    """Blurred along x, then y; beyond the border is 0.

    Args:
        sigma: the weight of a pixel k away is 2^-(k / sigma)^2; below 1/3 nothing happens.
    """
    reach = math.floor(3 * sigma)
    if reach <= 0:
        return images
    taps = torch.arange(-reach, reach + 1, device=images.device, dtype=torch.float32).div(sigma).square().neg().exp2()
    taps = (taps / taps.sum()).to(images.dtype)
    channels, count = images.shape[1], len(taps)
    images = functional.conv2d(images, taps.expand(channels, 1, 1, count), padding=(0, reach), groups=channels)
    return functional.conv2d(images, taps[:, None].expand(channels, 1, count, 1), padding=(reach, 0), groups=channels)


def adapted_strength(strength: float, signs: float, *, target: float, images: float, span: float) -> float:
    """Strength of the augmentation, moved by how sure the discriminator is of what is real (Karras et al. 2020, ADA).

    Args:
        signs: mean sign of its scores of real images since the last change.
        target: what this should be.
        images: seen since the last change.
        span: images in which the strength may go from 0 to 1.
    """
    step = (signs > target) - (signs < target)
    return max(strength + step * images / span, 0.0)
