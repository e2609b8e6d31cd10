"""Photos of any shape brought to one square size."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from ...inputs.pictures import eight_bits, has_transparency

Fit = Literal["none", "crop", "pad"]
WHITE = (255, 255, 255)


def plain_rgb(image: Image.Image) -> Image.Image:
    """8 bits of red, green and blue; what is transparent lies on white."""
    image = eight_bits(image)
    if not has_transparency(image):
        return image.convert("RGB")
    above = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, (*WHITE, 255)), above).convert("RGB")


def center_cropped(image: Image.Image) -> Image.Image:
    """The square in the middle, as wide as the short side."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def padded(image: Image.Image) -> Image.Image:
    """The image in the middle of a white square, as wide as the long side."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), WHITE)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def resized(image: Image.Image, width: int, height: int) -> Image.Image:
    """By Lanczos' filter; as it is where it has the size."""
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)


def cropped_wide(image: Image.Image, width: int, height: int) -> Image.Image | None:
    """A band in the middle brought to `width` x `height`, on a black square; None where the photo is smaller.

    The published rule: the photo keeps its width, and of its height the rows that it would have if it were `width`
    wide. What is wider than that is squeezed.
    """
    band = int(np.rint(width * image.height / image.width))
    if image.width < width or band < height:
        return None
    top = (image.height - band) // 2
    small = image.crop((0, top, image.width, (image.height + band) // 2)).resize(
        (width, height), Image.Resampling.LANCZOS
    )
    square = Image.new("RGB", (width, width))
    square.paste(small, (0, (width - height) // 2))
    return square


def fitted(image: Image.Image, fit: Fit) -> Image.Image:
    """Square by a crop or by white borders; as it is for "none"."""
    if fit == "crop":
        return center_cropped(image)
    return padded(image) if fit == "pad" else image
