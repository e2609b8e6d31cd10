"""Photos whose alpha is the object's mask, as the squares that the network sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from monoform import InputError, Photo


def square_of(mask: Float[np.ndarray, "h w"], size: int) -> tuple[Float[Tensor, "s s"], Float[np.ndarray, " 3"]]:
    """The square around a mask at the network's size; its middle (x, y) and half side in pixels of the mask."""
    rows, columns = np.nonzero(mask > 0.5)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    middle, half = 0.5 * (low + high), 0.5 * (high - low).max()
    scale = size / (2 * half)
    turn = np.array([[scale, 0, 0.5 * size - scale * middle[0]], [0, scale, 0.5 * size - scale * middle[1]]])
    turn[:, 2] += 0.5 * scale - 0.5  # the middle of the first pixel is 0 for OpenCV, 0.5 here
    square = cv2.warpAffine(mask.astype(np.float32), turn, (size, size), flags=cv2.INTER_AREA)
    return torch.from_numpy(square), np.array([*middle, half])


def photos_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        InputError: there is none.
    """
    found = sorted(path for path in folder.glob("*.png") if path.is_file()) if folder.is_dir() else []
    if not found:
        raise InputError(f"{folder} holds no .png: give a folder of photos whose alpha is the object's mask.")
    return found


def square_in(file: Path, size: int) -> Float[Tensor, "s s"]:
    """The square around the object of a photo.

    Raises:
        InputError: the photo has no alpha, or shows nothing.
    """
    mask = Photo.open(file).mask
    if mask is None or not (mask > 0.5).any():
        raise InputError(f"{file} has no mask of an object in its alpha.")
    return square_of(mask, size)[0]
