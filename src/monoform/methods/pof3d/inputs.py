"""What the discriminator is shown: an image beside its raw one."""

from __future__ import annotations

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


def stacked(image: Float[Tensor, "n c h w"], image_raw: Float[Tensor, "n c g v"]) -> Float[Tensor, "n 2*c h w"]:
    """An image and its raw one, brought to the same size, in one."""
    return torch.cat([image, resized(image_raw, image.shape[-1])], dim=1)
