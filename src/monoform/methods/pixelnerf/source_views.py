"""Photos as a network's source views: cut, put on its background, with cameras in its world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, look_at
from ...errors import InputError
from ...scene import Photo, View
from ...scene.silhouette import mask_box
from .config import PixelNerfConfig

FINER = 4
ROOM = 1.05
RADIUS = 0.5  # of the sphere that holds the object, in the world of a reconstruction


@dataclass(frozen=True, eq=False)
class SourceViews:
    """Source views of one object.

    Attributes:
        images: as the network takes them, 0..1.
        cameras: of the images, in the network's world.
        photo_cameras: of the original photos, in ours.
        scale: units of our world per unit of the network's.
    """

    images: Float[Tensor, "1 v h w 3"]
    cameras: Camera
    photo_cameras: tuple[Camera, ...]
    scale: float


def source_views(views: Sequence[View], config: PixelNerfConfig, *, margin: float, elevation: float) -> SourceViews:
    """Photos with masks, and cameras where there are several.

    A single photo without a pose is taken by the camera that the network was trained with: the square around the
    object shows what its images show, from its distance.

    Args:
        margin: side of the square around the object of a single photo, in longest sides of the object.
        elevation: of a single photo's camera above the object, in radians.

    Raises:
        InputError: there is no view, one has no mask, or several have not all cameras.
    """
    if not views:
        raise InputError("pixelNeRF needs at least one photo of the object.")
    for number, view in enumerate(views):
        if view.photo.mask is None:
            raise InputError(f"pixelNeRF needs the object's mask in photo {number + 1}: give one, or let one be found.")
    scale = RADIUS / config.domain.world_radius
    if len(views) == 1 and not _posed(views[0].camera):
        found = [_single(views[0].photo, config, scale, margin, elevation)]
    else:
        missing = [number for number, view in enumerate(views) if not _posed(view.camera)]
        if missing:
            raise InputError(
                f"pixelNeRF got {len(views)} photos, and number {missing[0] + 1} has no camera: give all cameras, "
                "for instance as transforms.json."
            )
        found = [_known(view.photo, view.camera, config) for view in views if view.camera is not None]
    images, cameras = [], []
    for view, (crop, camera) in zip(views, found, strict=True):
        images.append(_cut(view.photo, crop, config))
        cameras.append(camera.cropped(*crop).resized(config.domain.width, config.domain.height))
    together = Camera.concatenate(cameras)
    pose = together.world_from_camera.clone()
    pose[:, :3, 3] /= scale
    source = Camera(pose, together.intrinsics, together.width, together.height)
    return SourceViews(torch.stack(images)[None], source, tuple(camera for _, camera in found), scale)


def focal_alone(camera: Camera | None) -> bool:
    """Whether intrinsics are known and the pose is not, for which the identity stands."""
    return camera is not None and torch.equal(camera.world_from_camera[0], torch.eye(4).to(camera.world_from_camera))


def _posed(camera: Camera | None) -> bool:
    """Whether a pose is known."""
    return camera is not None and not focal_alone(camera)


def _single(
    photo: Photo, config: PixelNerfConfig, scale: float, margin: float, elevation: float
) -> tuple[tuple[int, int, int, int], Camera]:
    """The crop around the object, and the photo's camera that makes the crop's that of the training."""
    domain = config.domain
    left, top, right, bottom = _object_box(photo)
    longest = max(right - left, (bottom - top) * domain.width / domain.height)
    crop = _around(0.5 * (left + right), 0.5 * (top + bottom), margin * longest, config)
    per_pixel = crop[2] / domain.width
    shift = 0.5 * per_pixel if config.compat.shifted_center else 0.0
    focal = domain.focal * domain.width * per_pixel
    intrinsics = torch.eye(3)[None].repeat(1, 1, 1)
    intrinsics[0, 0, 0], intrinsics[0, 1, 1] = focal, domain.focal * domain.width * crop[3] / domain.height
    intrinsics[0, 0, 2], intrinsics[0, 1, 2] = crop[0] + 0.5 * crop[2] + shift, crop[1] + 0.5 * crop[3] + shift
    eye = domain.distance * scale * _unit_above(elevation)
    return crop, Camera(look_at(eye[None]), intrinsics, photo.width, photo.height)


def _known(photo: Photo, camera: Camera, config: PixelNerfConfig) -> tuple[tuple[int, int, int, int], Camera]:
    """The crop with the focal length of the training, larger where the object does not fit into it."""
    domain = config.domain
    left, top, right, bottom = _object_box(photo)
    width = float(camera.intrinsics[0, 0, 0]) / domain.focal
    longest = max(right - left, (bottom - top) * domain.width / domain.height)
    return _around(0.5 * (left + right), 0.5 * (top + bottom), max(width, ROOM * longest), config), camera


def _around(x: float, y: float, width: float, config: PixelNerfConfig) -> tuple[int, int, int, int]:
    """(left, top, width, height) in whole pixels, of the training images' shape."""
    across = max(2, round(width))
    down = max(2, round(width * config.domain.height / config.domain.width))
    return round(x - 0.5 * across), round(y - 0.5 * down), across, down


def _object_box(photo: Photo) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of the object in pixels of the original."""
    assert photo.mask is not None
    left, top, right, bottom = mask_box(photo.mask > 0.5)
    return photo.in_original(left, top, 0, 0)[:2] + photo.in_original(right, bottom, 0, 0)[:2]


def _cut(photo: Photo, crop: tuple[int, int, int, int], config: PixelNerfConfig) -> Float[Tensor, "h w 3"]:
    """The crop on the network's background, averaged over what each pixel covers."""
    size = (config.domain.width, config.domain.height)
    window = photo.cropped(*crop, size=(FINER * size[0], FINER * size[1]))
    assert window.mask is not None
    coverage = window.mask[..., None]
    image = window.rgb * coverage + (1.0 - coverage) * float(config.sampling.white)
    return torch.from_numpy(cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)).clamp(0, 1)


def _unit_above(elevation: float) -> Float[Tensor, " 3"]:
    return torch.tensor([0.0, math.sin(elevation), math.cos(elevation)])
