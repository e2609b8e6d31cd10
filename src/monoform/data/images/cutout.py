"""A photo of an object as RealFusion's folders hold it: a square picture, its mask, and both as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...errors import InputError
from ...ranges import require_range
from ...scene import Photo

SIZES = (16, 4096)


@dataclass(frozen=True)
class Cutout:
    """Colors sRGB 0..1, coverage 0..1; black and empty beyond the photo.

    Attributes:
        image: the square photo, with its background.
        mask: of the object in it.
        rgba: the object, alpha not premultiplied; square, or of the photo's own shape as published.
    """

    image: Float[np.ndarray, "s s 3"]
    mask: Float[np.ndarray, "s s"]
    rgba: Float[np.ndarray, "h w 4"]


def cut_out(photo: Photo, size: int, *, published: bool = False) -> Cutout:
    """The photo in the middle of a square.

    Args:
        photo: with its mask.
        size: pixels of the square's side.
        published: resample as the release: pixels are skipped where the photo is larger, the mask is of its nearest
            pixels, and rgba has the photo's own shape.

    Raises:
        InputError: the photo has no mask, or the size is out of its range.
    """
    require_range("The size of a cut-out", size, *SIZES)
    if photo.mask is None:
        raise InputError(f"{photo.source} has no mask: give one, or let matting.segment find one.")
    rgb, mask = (torch.from_numpy(np.ascontiguousarray(part)).float() for part in (photo.rgb, photo.mask))
    colors, alpha = rgb.permute(2, 0, 1)[None], mask[None, None]
    if published:
        image, cover = resized(padded(colors), size), resized(padded(alpha), size, mode="nearest")
        whole = torch.cat((colors, alpha), dim=1)
    else:
        image, cover = resized(padded(colors), size, antialias=True), resized(padded(alpha), size, antialias=True)
        # Colors are averaged by their coverage, so that the background does not bleed in.
        own = resized(padded(colors * alpha), size, antialias=True) / cover.clamp(min=1e-6)
        whole = torch.cat((own.clamp(0, 1), cover), dim=1)
    return Cutout(_array(image), _array(cover)[..., 0], _array(whole))


def padded(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c s s"]:
    """Images in the middle of squares, zero around them."""
    height, width = images.shape[2:]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    return functional.pad(images, (left, side - width - left, top, side - height - top))


def resized(
    images: Float[Tensor, "b c h w"],
    size: int,
    *,
    mode: Literal["bilinear", "nearest"] = "bilinear",
    antialias: bool = False,
) -> Float[Tensor, "b c size size"]:
    """Images as squares of a size, whatever their shape."""
    corners = {"align_corners": False} if mode == "bilinear" else {}
    return functional.interpolate(images, size=(size, size), mode=mode, antialias=antialias, **corners)


def _array(image: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "h w c"]:
    return image[0].permute(1, 2, 0).contiguous().numpy()
