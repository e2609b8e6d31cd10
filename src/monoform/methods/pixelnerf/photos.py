"""Photos of real objects brought into the frame of the training pictures (section 5.3.3 of the paper: real cars).

The object's outline is fitted with an ellipse; a square around its centre, as large as the shorter axis says, is
composited over white. For cars the published scales give the size that the training renderings have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...errors import InputError
from ...renamed import old_names
from ...scene import Photo

Ellipse = tuple[float, float, float, float, float]
Square = tuple[int, int, int]
_SMALLEST_AREA = 4.0  # square pixels
_FEWEST_POINTS = 5  # of an outline that determine an ellipse


@dataclass(frozen=True)
class PhotoFrame:
    """How a photo is framed; the defaults are those of the published cars.

    Attributes:
        size: width and height of the result in pixels.
        minor_scale: side of the square in lengths of the ellipse's shorter axis; the larger of the two counts.
        major_scale: side of the square in lengths of the ellipse's longer axis.
        largest_outline: whether of several outlines the largest is taken; else the first that is found, as published.
    """

    size: int = 128
    minor_scale: float = 4.37
    major_scale: float = 0.8
    largest_outline: bool = True

    def __post_init__(self) -> None:
        if self.size < 1 or not self.minor_scale > 0 or not self.major_scale > 0:
            raise InputError(
                f"A photo's frame has size {self.size} and scales {self.minor_scale}, {self.major_scale}; "
                "all must be positive."
            )


def normalize_photo(photo: Photo, frame: PhotoFrame | None = None) -> Photo:
    """The photo's object over white, in a square of `frame.size` pixels; its crop says where that lies in the original.

    Raises:
        InputError: the photo has no mask, or the mask is too small for an ellipse.
    """
    frame = frame or PhotoFrame()
    if photo.mask is None:
        raise InputError(f"{photo.source} has no mask; give one, or an image with a transparent background.")
    rgb, mask = _bytes(photo.rgb), _bytes(photo.mask)
    square = square_around(outline_ellipse(mask, largest=frame.largest_outline), frame)
    pixels = framed_pixels(rgb, mask, square, frame)
    small_mask = cv2.resize(_window(mask, square), (frame.size, frame.size))
    left, top, side = square
    opaque = np.ones((frame.size, frame.size, 1), np.float32)
    return replace(
        photo,
        rgba=np.concatenate((pixels.astype(np.float32) / 255, opaque), axis=-1),
        mask=small_mask.astype(np.float32) / 255,
        crop=photo.in_original(left, top, side, side),
    )


def outline_ellipse(mask: UInt8[np.ndarray, "h w"], *, largest: bool = True) -> Ellipse:
    """(centre x, centre y, axis, axis, angle in degrees) of the ellipse through a mask's outer outline.

    Raises:
        InputError: the mask is empty or too small.
    """
    for points in (cv2.CHAIN_APPROX_SIMPLE, cv2.CHAIN_APPROX_NONE):  # corners, as published; all for one with few
        outlines, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, points)
        outline = max(outlines, key=cv2.contourArea, default=None) if largest else next(iter(outlines), None)
        if outline is not None and len(outline) >= _FEWEST_POINTS:
            break
    else:
        found = 0 if outline is None else len(outline)
        raise InputError(f"The mask's outline has {found} points, too few for an ellipse; give a better mask.")
    (x, y), (first, second), angle = cv2.fitEllipse(outline)
    flat = cv2.contourArea(outline) < _SMALLEST_AREA  # what is fitted to a line differs from run to run
    if flat or not all(map(math.isfinite, (x, y, first, second))) or max(first, second) > 4 * max(mask.shape):
        raise InputError("The mask's outline is nearly a line, no ellipse fits it; give a better mask.")
    return x, y, first, second, angle


def square_around(ellipse: Ellipse, frame: PhotoFrame) -> Square:
    """(left, top, side) in pixels of the square that shows the ellipse in the frame."""
    x, y, first, second, _ = ellipse
    side = max(min(first, second) * frame.minor_scale, max(first, second) * frame.major_scale)
    half = math.ceil(0.5 * side)
    return round(x) - half, round(y) - half, 2 * half


def framed_pixels(
    rgb: UInt8[np.ndarray, "h w 3"], mask: UInt8[np.ndarray, "h w"], square: Square, frame: PhotoFrame
) -> UInt8[np.ndarray, "s s 3"]:
    """The square composited over white, rounded down to 8 bits and brought to the frame's size by bilinear samples."""
    # Beyond the photo the mask is empty: whatever the colours are continued with, white is seen.
    colors, share = _window(rgb, square).astype(np.float64), _window(mask, square)[..., None] / 255.0
    composite = (colors * share + 255.0 * (1.0 - share)).astype(np.uint8)
    return cv2.resize(composite, (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)


def _window(image: np.ndarray, square: Square) -> np.ndarray:
    """A square of an image, zero beyond its edges."""
    left, top, side = square
    height, width = image.shape[:2]
    before, after = (max(0, -top), max(0, -left)), (max(0, top + side - height), max(0, left + side - width))
    wide = cv2.copyMakeBorder(image, before[0], after[0], before[1], after[1], cv2.BORDER_CONSTANT, value=0)
    return wide[top + before[0] :, left + before[1] :][:side, :side]


def _bytes(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return np.rint(255.0 * np.clip(values, 0, 1)).astype(np.uint8)


__getattr__ = old_names(__name__, {"normalise_photo": "normalize_photo"})
