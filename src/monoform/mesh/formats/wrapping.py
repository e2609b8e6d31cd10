"""Texture coordinates outside 0..1, for samplers that do not repeat."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Wrap = Literal["repeat", "clamp", "mirror"]


def repeating(
    texture: UInt8[np.ndarray, "h w 3"], uv: Float[np.ndarray, "n 2"], wrap: tuple[Wrap, Wrap]
) -> tuple[UInt8[np.ndarray, "rows columns 3"], Float[np.ndarray, "n 2"]]:
    """An equal texture and coordinates (v upwards) for readers that repeat textures.

    A mirrored texture is joined with its mirror image. A clamped one gets a border of its edge, as wide as the
    coordinates ask for, but not wider than itself.
    """
    for axis, kind in enumerate(wrap):
        values = uv[:, axis]
        if kind == "repeat" or not len(uv) or (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
            continue
        uv = uv.copy()
        if kind == "mirror":
            texture, uv[:, axis] = _mirrored(texture, axis), values / 2
        else:
            texture, uv[:, axis] = _bordered(texture, values, axis)
    return texture, uv


def _mirrored(texture: np.ndarray, axis: int) -> np.ndarray:
    if axis == 0:
        return np.concatenate([texture, texture[:, ::-1]], axis=1)
    return np.concatenate([texture[::-1], texture], axis=0)


def _bordered(texture: np.ndarray, values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    size = texture.shape[1 - axis]
    low, high = (int(np.ceil(np.clip(end, 0, 1) * size)) for end in (-values.min(), values.max() - 1))
    sides = (0, 0, low, high) if axis == 0 else (high, low, 0, 0)  # top, bottom, left, right; v points up
    bordered = cv2.copyMakeBorder(texture, *sides, cv2.BORDER_REPLICATE)
    placed = (values * size + low) / (size + low + high)
    half = 0.5 / (size + low + high)
    return bordered, placed.clip(half, 1 - half)
