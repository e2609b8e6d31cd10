"""The camera of a photo, between its original pixels and those of the working image."""

from __future__ import annotations

import math

import torch

from ..camera import Camera
from .photo import Photo


def working_intrinsics(photo: Photo, known: Camera | None, fov: float) -> torch.Tensor:
    """Intrinsics (1, 3, 3) in working pixels: the view's own, else from EXIF's focal length, else from `fov` (rad)."""
    scale = torch.tensor([photo.scale[0], photo.scale[1], 1.0], dtype=torch.float64)
    if known is not None:
        return known.intrinsics.double() * scale[:, None]
    focal = photo.focal if photo.focal is not None else 0.5 * photo.height / math.tan(0.5 * fov)
    matrix = torch.tensor(
        [[focal, 0, photo.width / 2 - photo.crop[0]], [0, focal, photo.height / 2 - photo.crop[1]], [0, 0, 1]],
        dtype=torch.float64,
    )
    return (matrix * scale[:, None])[None]


def photo_camera(working: Camera, photo: Photo) -> Camera:
    """The camera of the original photo, given that of the working image."""
    full = working.resized(round(photo.crop[2]), round(photo.crop[3]))
    return full.cropped(-round(photo.crop[0]), -round(photo.crop[1]), photo.width, photo.height)


def working_camera(original: Camera, photo: Photo) -> Camera:
    """The camera of the working image, given that of the original photo."""
    return original.cropped(*(round(value) for value in photo.crop)).resized(*photo.size)
