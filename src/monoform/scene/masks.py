"""Masks that the user gives: which channel holds the object, which way round they are, whether they mark anything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..errors import InputError
from ..inputs.pictures import eight_bits, has_transparency, open_picture

TRANSPARENT = 0.001  # share of pixels that makes an alpha channel more than an eraser's slip
_NEAR = 24  # levels from black or white within which a pixel is either
_DRAWN = 0.9  # share of such pixels, and of grey ones, in a picture that is a mask and no photo
_BACK = {6: 8, 8: 6}
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Orientation = Literal["upright", "stored"]


def read_mask(
    given: object,
    size: tuple[int, int],
    *,
    stored_as: int = 1,
    shown: Orientation = "upright",
    drawn_on: Orientation = "upright",
) -> Float[np.ndarray, "h w"]:
    """The values of a mask 0..1, for the pixels of its photo.

    Args:
        given: anything that `open_picture` takes; white or opaque where the object is.
        size: (width, height) of the photo as it is shown.
        stored_as: EXIF orientation of the photo.
        shown: whether its pixels are wanted upright or as they are stored.
        drawn_on: which of the two a mask is for that has no EXIF orientation of its own and fits both.

    Raises:
        InputError: it cannot be read, has another size, or marks nothing.
    """
    label = str(given) if isinstance(given, (str, Path)) else "The mask"
    picture = open_picture(given, orientation="stored", smallest=1)
    image, own = picture.image, picture.exif_orientation
    if own != 1:
        image, drawn_on = oriented(image, own), "upright"
    turned = image if drawn_on == shown else _between(image, stored_as, to=shown)
    if turned.size != size and own == 1:
        other: Orientation = "stored" if drawn_on == "upright" else "upright"
        turned = image if other == shown else _between(image, stored_as, to=shown)
    if turned.size != size:
        raise InputError(
            f"{label} is {image.width} x {image.height} pixels but the photo is {size[0]} x {size[1]}: "
            "give a mask of the photo's own size."
        )
    mask = mask_values(turned)
    if mask.max() < 0.5:
        raise InputError(f"{label} marks nothing: it should be white where the object is.")
    return mask


def oriented(image: Image.Image, orientation: int) -> Image.Image:
    """The image of stored pixels as EXIF says that it is seen."""
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image


def alpha_says(alpha: UInt8[np.ndarray, "h w"]) -> bool:
    """Whether an alpha channel masks an object, rather than being opaque but for a few pixels."""
    return float((alpha < 128).mean()) >= TRANSPARENT


def mask_values(image: Image.Image) -> Float[np.ndarray, "h w"]:
    """A mask image's values 0..1: of its brightness and its alpha, the one that tells where the object is.

    Alpha that has hardly a transparent pixel tells nothing. Beside an alpha that does, black and white drawn over the
    opaque part count too; colors of a cut-out photo do not.
    """
    brightness = _brightness(image)
    if not has_transparency(image):
        return brightness
    rgba = np.asarray(eight_bits(image).convert("RGBA"))
    alpha = rgba[..., 3]
    if not alpha_says(alpha):
        return brightness
    values = alpha.astype(np.float32) / 255
    return np.minimum(values, brightness) if _is_drawing(rgba[alpha >= 128]) else values


def require_solid(mask: Float[np.ndarray, "h w"], label: str) -> None:
    """Refuse a mask of dust, hair lines or a checkerboard, which leaves nothing to build on.

    Raises:
        InputError: no pixel of the mask has all its neighbours in the mask.
    """
    inside = (mask > 0.5).astype(np.uint8)
    if not cv2.erode(inside, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0).any():
        raise InputError(f"{label} marks nothing solid: an area is needed, not dots or lines.")


def _between(image: Image.Image, orientation: int, *, to: Orientation) -> Image.Image:
    """Upright pixels from stored ones, or the other way round."""
    return oriented(image, orientation if to == "upright" else _BACK.get(orientation, orientation))


def _brightness(image: Image.Image) -> Float[np.ndarray, "h w"]:
    """The largest channel 0..1; of an image of the labels 0 and 1, or of 8 bits stored as 16, the labels."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        if np.isfinite(values).all() and image.mode != "F" and 0 < values.max() <= 255:
            return np.clip(values / (1.0 if values.max() == 1 else 255.0), 0, 1)
        image = eight_bits(image)
    rgb = np.asarray(image.convert("RGBA"))[..., :3].max(axis=2)
    return rgb.astype(np.float32) / (1.0 if rgb.max() == 1 else 255.0)


def _is_drawing(pixels: UInt8[np.ndarray, "n 4"]) -> bool:
    """Whether opaque pixels are black and white, both of them: a drawn mask and no photo."""
    if not len(pixels):
        return False
    high, low = pixels[:, :3].max(axis=1), pixels[:, :3].min(axis=1)
    white, black = low > 255 - _NEAR, high < _NEAR
    return min(float(white.mean()), float(black.mean())) >= TRANSPARENT and float((white | black).mean()) >= _DRAWN
