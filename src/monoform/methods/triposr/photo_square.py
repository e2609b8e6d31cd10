"""The picture that the network takes of a photo: the object alone, centered on gray, as the release prepares it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from ...errors import InputError

GRAY = 0.5


def centered(rgba: UInt8[np.ndarray, "h w 4"], ratio: float) -> UInt8[np.ndarray, "s s 4"]:
    """The object in the middle of a transparent square; nothing is resampled.

    As the release has it, the last row and the last column of the object are cut off.

    Args:
        rgba: with the object's coverage.
        ratio: the object's longer side in sides of the square, 0..1.

    Raises:
        InputError: there is no object, or one of a single row or column.
    """
    rows, columns = np.nonzero(rgba[..., 3] > 0)
    if not len(rows) or rows.min() == rows.max() or columns.min() == columns.max():
        raise InputError("The mask marks no object, or one of a single row or column of pixels: give a larger one.")
    found = rgba[rows.min() : rows.max(), columns.min() : columns.max()]
    side = max(found.shape[:2])
    return _padded(_padded(found, side), int(side / ratio))


def on_gray(rgba: UInt8[np.ndarray, "h w 4"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture on gray; numbers are cut off to bytes, not rounded."""
    values = rgba.astype(np.float32) / 255.0
    color, alpha = values[..., :3], values[..., 3:]
    return ((color * alpha + (1 - alpha) * np.float32(GRAY)) * 255.0).astype(np.uint8)


def resized(picture: Float[Tensor, "h w 3"], size: int) -> Float[Tensor, "1 3 s s"]:
    """A square of another size, bilinear, each pixel the mean of what it covers where it covers more than one."""
    planes = picture.permute(2, 0, 1)[None]
    return interpolate(planes, (size, size), mode="bilinear", align_corners=False, antialias=True)


def network_picture(rgba: UInt8[np.ndarray, "h w 4"], ratio: float, size: int) -> Float[Tensor, "1 3 s s"]:
    """The network's input, 0..1, of a picture with the object's coverage."""
    return resized(torch.from_numpy(on_gray(centered(rgba, ratio)).astype(np.float32) / 255.0), size)


def _padded(rgba: UInt8[np.ndarray, "h w 4"], side: int) -> UInt8[np.ndarray, "s s 4"]:
    """In the middle of a transparent square, half of the room before, rounded down."""
    height, width = rgba.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(rgba, ((top, side - height - top), (left, side - width - left), (0, 0)))
