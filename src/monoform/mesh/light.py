"""The sRGB curve between display colors and linear light (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped, UInt8


def linear_from_srgb(colors: Shaped[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Display colors in 0..1 as linear light in 0..1."""
    colors = np.asarray(colors, np.float64)
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: Shaped[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Linear light as display colors in 0..1; what lies outside 0..1 is cut off."""
    light = np.clip(np.asarray(light, np.float64), 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def bytes_from_linear(light: Shaped[np.ndarray, "*any"]) -> UInt8[np.ndarray, "*any"]:
    """Linear light as display colors in 0..255."""
    return np.rint(255.0 * srgb_from_linear(light)).astype(np.uint8)


def dimmed(texture: UInt8[np.ndarray, "h w 3"], factor: Float[np.ndarray, " 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """A texture of display colors times a factor of linear light for each channel; itself where that is 1."""
    if np.all(factor == 1.0):
        return texture
    curve = bytes_from_linear(linear_from_srgb(np.arange(256) / 255.0)[:, None] * factor)
    return np.stack([curve[:, channel][texture[..., channel]] for channel in range(3)], axis=-1)
