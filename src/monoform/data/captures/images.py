"""The pixels of a capture's photos and masks, as its cameras see them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from ...errors import InputError
from ...inputs import picture_orientation, picture_size, read_pixels
from ...scene.masks import alpha_says, read_mask
from .capture import CaptureView


def read_image(view: CaptureView, size: tuple[int, int] | None = None) -> Float[np.ndarray, "h w c"]:
    """Colours 0..1, and alpha where the file has it, averaged down to (width, height) where that is asked for.

    Raises:
        InputError: the file cannot be read, or has another size than its camera.
    """
    require_size(view)
    pixels = read_pixels(view.image).astype(np.float32) / 255.0
    if pixels.shape[2] == 4 and not alpha_says(np.rint(pixels[..., 3] * 255).astype(np.uint8)):
        pixels = pixels[..., :3]
    if size is None or size == (view.camera.width, view.camera.height):
        return pixels
    if pixels.shape[2] == 4:  # colours are averaged by their alpha: what is transparent has none
        pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=2)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if small.shape[2] == 4:
        small[..., :3] = small[..., :3] / np.maximum(small[..., 3:], 1e-6)
    return np.clip(small, 0.0, 1.0)


def read_counted(view: CaptureView, size: tuple[int, int] | None = None) -> Bool[np.ndarray, "h w"] | None:
    """Which pixels count by the view's masks, at (width, height) where that is asked for; None where it has none.

    Raises:
        InputError: a mask cannot be read, leaves nothing, or has another size than its photo.
    """
    if view.mask is None and view.moving is None:
        return None
    own = (view.camera.width, view.camera.height)
    counted = np.ones(own[::-1], np.float32)
    if view.mask is not None:
        counted = read_mask(
            view.mask, own, stored_as=picture_orientation(view.image), shown="stored", drawn_on="stored"
        )
    if view.moving is not None:
        counted = np.where(_moving(view.moving, own), np.float32(0), counted)
    if size is not None and size != own:
        counted = cv2.resize(counted, size, interpolation=cv2.INTER_AREA)
    # Where photos are made smaller, a pixel counts that is not mixed with one that does not.
    return counted > (0.5 if size in (None, own) else 0.99)


def _moving(file: Path, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Pixels that a dynamic mask marks as moving; there may be none."""
    marked = read_pixels(file, "RGB").any(-1)
    if marked.shape != size[::-1]:
        raise InputError(f"{file} has {marked.shape[1]} x {marked.shape[0]} pixels, its photo {size[0]} x {size[1]}.")
    return marked


def require_size(view: CaptureView) -> None:
    """Refuse a photo that has another size than its camera, by its file's head.

    Raises:
        InputError: it has, or cannot be read.
    """
    found, wanted = picture_size(view.image), (view.camera.width, view.camera.height)
    if found == wanted:
        return
    turned = ""
    if found == wanted[::-1] and picture_orientation(view.image) > 4:
        turned = " (turned by its EXIF, which the cameras of a capture do not see)"
    raise InputError(
        f"The photo {view.image} has {found[0]} x {found[1]} pixels{turned}, its camera {wanted[0]} x {wanted[1]}; "
        "give the photos that the cameras were made for."
    )
