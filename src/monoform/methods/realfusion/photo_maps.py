"""Depth and normals of a photo, read from files and cut out as the photo's square is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from ...errors import InputError
from ...inputs import open_picture, read_array, read_arrays
from ...scene import Photo
from .photo_square import PhotoSquare

SMALLEST = 16  # pixels of a map's shorter side
LENGTHS = (0.5, 1.5)  # of vectors that are meant as unit vectors


def with_maps(square: PhotoSquare, photo: Photo, depth: str | None, normals: str | None) -> PhotoSquare:
    """The square with the depth and the normals that files hold of the whole photo, upright.

    Args:
        depth: file of depth along the viewing axis, nearer is smaller, of any scale and shift.
        normals: file of unit vectors, x right, y down, z away from the viewer.

    Raises:
        InputError: a file cannot be read, has another shape than the photo, or says nothing of the object.
    """
    if depth:
        square = replace(square, depth=_depth(depth, photo, square))
    if normals:
        square = replace(square, normals=_normals(normals, photo, square))
    return square


def _depth(file: str, photo: Photo, square: PhotoSquare) -> Float[torch.Tensor, "s s"]:
    values = _read(file, "depth")
    if values.ndim == 3 and (values.shape[2] == 1 or bool((values == values[..., :1]).all())):
        values = values[..., 0]
    if values.ndim != 2:
        raise InputError(f"{file} has shape {values.shape}: a depth map is (h, w), or a gray picture.")
    shown = _shown(file, values, photo)
    known = values[shown]
    low, high = known.min(), known.max()
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        raise InputError(f"{file} has the depth {low:.4g} everywhere on the object: give a map that tells its shape.")
    values = (values - low) / (high - low)
    return torch.from_numpy(_cut(values[..., None].repeat(3, axis=2), shown, photo, square)[..., 0])


def _normals(file: str, photo: Photo, square: PhotoSquare) -> Float[torch.Tensor, "s s 3"]:
    values = _read(file, "normals")
    if values.ndim != 3 or values.shape[2] != 3:
        raise InputError(f"{file} has shape {values.shape}: a normal map is (h, w, 3), or an RGB picture.")
    shown = _shown(file, values, photo)
    length = float(np.median(np.linalg.norm(values[shown], axis=1)))
    if not LENGTHS[0] <= length <= LENGTHS[1]:
        raise InputError(f"{file} has vectors of length {length:.3g} on the object: normals are unit vectors.")
    away = float(values[shown][:, 2].mean())
    if away > 0:
        raise InputError(
            f"{file} has normals that point away from the viewer (mean z {away:.2f} on the object): give them with x "
            "right, y down, z away from the viewer, so that what faces the camera has -1 in z."
        )
    cut = functional.normalize(torch.from_numpy(_cut(values, shown, photo, square)), dim=-1, eps=1e-6)
    # The pose's x axis is the image's right in a mirrored world, too.
    return cut @ square.pose[:3, :3].mT


def _read(file: str, key: str) -> Float[np.ndarray, "h w *c"]:
    """The values of a map; those of a color picture as vectors, RGB being (n + 1) / 2."""
    suffix = PurePath(file).suffix.lower()
    if suffix not in (".npy", ".npz"):
        image = open_picture(file, profile=False, smallest=SMALLEST).image
        if image.mode in ("LA", "La", "1"):
            image = image.convert("L")
        if image.mode.startswith(("I", "F", "L")):
            return np.asarray(image).astype(np.float64)
        return np.asarray(image.convert("RGB")) / 127.5 - 1.0
    if suffix == ".npy":
        values = read_array(file)
    else:
        arrays = read_arrays(file)
        if key not in arrays and len(arrays) != 1:
            raise InputError(f"{file} holds {len(arrays)} arrays and none is called {key}: keep one, or name it so.")
        values = arrays.get(key, next(iter(arrays.values())))
    if values.dtype.kind not in "iuf":
        raise InputError(f"{file} holds values of type {values.dtype}; a map has numbers.")
    return values.astype(np.float64)


def _shown(file: str, values: Float[np.ndarray, "h w *c"], photo: Photo) -> Bool[np.ndarray, "h w"]:
    """Where a map shows the object."""
    height, width = values.shape[:2]
    if min(height, width) < SMALLEST:
        raise InputError(f"{file} is {width} x {height} pixels; at least {SMALLEST} x {SMALLEST} are needed.")
    if min(abs(width - height * photo.width / photo.height), abs(height - width * photo.height / photo.width)) > 1:
        raise InputError(
            f"{file} is {width} x {height} pixels and the photo {photo.width} x {photo.height}: give a map of the "
            "whole photo, of its size or of its proportions."
        )
    shown = cv2.resize(photo.original_mask(), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    if not shown.any():
        raise InputError(f"{file} is {width} x {height} pixels, in which the object is too small: give a larger map.")
    if not np.isfinite(values[shown]).all():
        raise InputError(f"{file} holds NaN or infinite values on the object: fill them in.")
    return shown


def _cut(
    values: Float[np.ndarray, "h w 3"], shown: Bool[np.ndarray, "h w"], photo: Photo, square: PhotoSquare
) -> Float[np.ndarray, "s s 3"]:
    """A map in the pixels of the square, of what it says of the object alone; zero far from it."""
    own = np.where(shown[..., None], values, 0.0)
    whole = (0.0, 0.0, float(photo.width), float(photo.height))
    stack = np.concatenate((own, shown[..., None]), axis=2).astype(np.float32)
    side = len(square.alpha)
    small = replace(photo, rgba=stack, mask=None, crop=whole).cropped(*square.window, size=(side, side)).rgba
    return small[..., :3] / np.maximum(small[..., 3:], 1e-6)
