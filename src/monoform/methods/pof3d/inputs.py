"""What the discriminator is shown: an image beside its raw one, blurred in the beginning of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...nn.stylegan2.fir import TAPS, downsample2d, fir_kernel, upsample2d

Resizing = Literal["bilinear", "filtered"]


def resized(
    images: Float[Tensor, "n c h w"], size: int, *, kind: Resizing = "bilinear", taps: Sequence[float] = TAPS
) -> Float[Tensor, "n c s s"]:
    """Square images of another size.

    Args:
        size: in pixels.
        kind: bilinear without regard to aliasing, as published (there it is called antialiased); or between a doubling
            and a halving by a filter.
        taps: of the filter.
    """
    if kind == "bilinear":
        return functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    kernel = fir_kernel(taps)
    larger = upsample2d(images, kernel)
    larger = functional.interpolate(larger, size=(2 * size + 2,) * 2, mode="bilinear", align_corners=False)
    return downsample2d(larger, kernel, padding=-1, flip=True)


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


def stacked(image: Float[Tensor, "n c h w"], image_raw: Float[Tensor, "n c g v"]) -> Float[Tensor, "n 2*c h w"]:
    """An image and its raw one, brought to the same size, in one."""
    return torch.cat([image, resized(image_raw, image.shape[-1])], dim=1)
