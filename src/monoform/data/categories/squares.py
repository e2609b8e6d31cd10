"""Photos of any shape brought to a square around the object or around all of it, as CMR does (Kanazawa et al. 2018).

Boxes are (first column, first row, last column, last row), inclusive; what lies outside of a photo is white and masked.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

MARGIN = 0.05
Box = tuple[float, float, float, float]
Square = tuple[int, int, int]
"""First column, first row, and the side in pixels."""


def grown(box: Sequence[float], margin: float = MARGIN) -> Box:
    """A box with a share of its width and height more on each side."""
    left, top, right, bottom = (float(edge) for edge in box)
    x, y = margin * (right - left + 1), margin * (bottom - top + 1)
    return left - x, top - y, right + x, bottom + y


def whole(width: int, height: int) -> Box:
    """The box of all of a photo."""
    return 0.0, 0.0, width - 1.0, height - 1.0


def mirrored_box(box: Sequence[float], width: int) -> Box:
    """A box in the mirrored photo, by the published rule: one pixel further right than the pixels are."""
    left, top, right, bottom = (float(edge) for edge in box)
    return width - right, top, width - left, bottom


def square_around(box: Sequence[float]) -> Square:
    """The square that has the long side of a box and its middle; halves are rounded to even."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    width, height = right - left + 1, bottom - top + 1
    side = max(width, height)
    return left - round((side - width) / 2), top - round((side - height) / 2), side


def normalized_box(square: Square, width: int, height: int) -> Float32[np.ndarray, "2 2"]:
    """Lower left corner and size of a square in units -1..1, y up, of the photo in the middle of its own square."""
    left, top, side = square
    longest = max(width, height)
    x = (left + (longest - width) / 2) / longest
    y = 1 - (top + (longest - height) / 2) / longest - side / longest
    return np.array([[2 * x - 1, 2 * y - 1], [2 * side / longest] * 2], np.float32)


def masked_square(
    rgb: UInt8[np.ndarray, "h w 3"],
    mask: UInt8[np.ndarray, "h w"],
    square: Square,
    size: int,
    *,
    mirror: bool = False,
) -> Float[Tensor, "4 s s"]:
    """Colors -1..1 times the mask, and the mask 0..1; each pixel the mean of those that it covers.

    Args:
        rgb: sRGB 0..255.
        mask: 0 or 1.
        square: of the photo.
        size: pixels along a side.
        mirror: left and right exchanged at the end.
    """
    parts = [
        _resized(_cropped(rgb / 255.0, square, 1.0), size),
        _resized(_cropped(mask[..., None] * 1.0, square), size),
    ]
    colors, share = (part[:, ::-1] if mirror else part for part in parts)
    picture = np.concatenate(((2 * colors - 1) * share, share), axis=-1).clip(-1, 1)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32))


def _cropped(
    image: Float[np.ndarray, "h w c"], square: Square, beyond: float = 0.0
) -> Float[np.ndarray, "side side c"]:
    left, top, side = square
    found = np.full((side, side, image.shape[2]), beyond)
    x0, x1 = max(0, left), min(image.shape[1], left + side)
    y0, y1 = max(0, top), min(image.shape[0], top + side)
    if x0 < x1 and y0 < y1:
        found[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return found


def _resized(image: Float[np.ndarray, "side side c"], size: int) -> Float[np.ndarray, "s s c"]:
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return resized.reshape(size, size, image.shape[2])
