"""Random colours as LIST's training draws them: brightness, saturation and hue of 8-bit pictures in random order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance

OPERATIONS = ("brightness", "saturation", "hue")


@dataclass(frozen=True)
class ByteJitter:
    """A change of brightness, saturation and hue.

    Attributes:
        brightness: factor.
        saturation: factor.
        hue: shift in turns, -0.5..0.5.
        order: of the three operations, by number.
    """

    brightness: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    order: tuple[int, ...] = (0, 1, 2)


def draw_byte_jitter(generator: np.random.Generator) -> ByteJitter:
    """Brightness 0.7..1.3, saturation 0.5..1.5, hue -0.5..0.5, all uniform, in random order, as published."""
    order = tuple(int(each) for each in generator.permutation(len(OPERATIONS)))
    return ByteJitter(generator.uniform(0.7, 1.3), generator.uniform(0.5, 1.5), generator.uniform(-0.5, 0.5), order)


def jittered(pixels: UInt8[np.ndarray, "h w 3"], change: ByteJitter) -> UInt8[np.ndarray, "h w 3"]:
    """The picture after the operations, rounded to bytes after each; hue is shifted in 8-bit HSV and wraps around."""
    image = Image.fromarray(pixels)
    for number in change.order:
        if number == 0:
            image = ImageEnhance.Brightness(image).enhance(change.brightness)
        elif number == 1:
            image = ImageEnhance.Color(image).enhance(change.saturation)
        else:
            image = _turned(image, change.hue)
    return np.asarray(image)


def _turned(image: Image.Image, hue: float) -> Image.Image:
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(int(hue * 255) % 256)
    return Image.fromarray(hsv, "HSV").convert("RGB")
