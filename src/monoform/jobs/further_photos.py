"""Further photos of an object, without cameras: each is posed against the result of the first one."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..camera import Camera
from ..errors import InputError
from ..inputs import name_of
from ..inputs.photo_folders import named_photos
from ..inputs.photo_names import ENDINGS
from ..matting import segment
from ..methods.base import Reconstructor
from ..methods.inerf.config import InerfOptions, Limits
from ..metrics import mask_iou
from ..progress import work
from ..render import render_mesh
from ..scene import Photo, Reconstruction, View
from ..scene.photo_camera import working_camera
from ..text import printable
from .estimate_pose import PoseOptions, estimate_pose
from .pose_scenes import scene_of
from .posed_photos import masks_of

LEAST_OVERLAP = 0.6  # IoU of the first result's outline and the photo's mask, of a pose that is believed
# Of a guessed shape the depth is unsure, so that another focal length nearly always fits better: that is no doubt.
SEEKING = InerfOptions(limits=Limits(zoom=math.inf))
CAPTURES = ("transforms.json", "transforms_train.json", "poses_bounds.npy", "sparse")  # folders that have cameras


@dataclass(frozen=True)
class FurtherPhotos:
    """A photo, and others of the same object whose cameras are not known.

    Attributes:
        photo: the first, whose world and camera are the result's.
        path: a folder of the others, or one of them.
    """

    photo: str
    path: str

    def __str__(self) -> str:
        """The form in which result.json records the request."""
        return f"{self.photo} and {self.path}"

    @property
    def name(self) -> str:
        """Of the result folder."""
        return name_of(self.photo)

    def others(self) -> list[str]:
        """The further photos.

        Raises:
            InputError: there is none.
        """
        found = [photo for photo, _ in named_photos([self.path]) if not _same(photo, self.photo)]
        if not found:
            raise InputError(f"{self.path} holds no other photo than {self.photo}: leave --views out.")
        return found


@dataclass(frozen=True, eq=False)
class Posed:
    """A further photo and the camera that was found for it.

    Attributes:
        photo: with its mask.
        camera: in the first result's world.
        overlap: IoU of its outline, seen by the camera, and the photo's mask.
        doubts: why the pose is not believed, a clause each; none where it is.
    """

    photo: Photo
    camera: Camera
    overlap: float
    doubts: tuple[str, ...] = ()

    @property
    def believed(self) -> bool:
        """Whether the pose is believed."""
        return not self.doubts


def has_cameras(path: str) -> bool:
    """Whether --views names photos with their cameras: a file of them, or a folder of a capture."""
    if os.path.isfile(path):
        return Path(path).suffix.lower() not in ENDINGS
    return any((Path(path) / name).exists() for name in CAPTURES)


def posed(
    first: Reconstruction, photos: Sequence[Photo], *, focals: Sequence[float | None] = (), seed: int = 0
) -> list[Posed]:
    """The cameras of further photos of an object, sought all around the result of the first.

    Args:
        first: from one photo.
        photos: with their masks.
        focals: focal lengths in pixels where known; else EXIF's, else that of the first photo's camera.

    Raises:
        InputError: the first result has no camera or no surface.
    """
    scene = scene_of(first)
    found = []
    with work("finding cameras of further photos", len(photos), unit="photo") as show:
        for number, photo in enumerate(photos):
            known = focals[number] if number < len(focals) else None
            focal = known or photo.focal or _same_lens(first.camera, photo)
            options = PoseOptions(method=SEEKING, search=True, focal=focal, seed=seed)
            estimate = estimate_pose(photo, scene, options).estimate
            overlap = _overlap(first, photo, estimate.camera)
            doubts = estimate.failure_reasons
            if overlap < LEAST_OVERLAP:
                doubts = (*doubts, f"its outline overlaps the first result's by {overlap:.2f} alone")
            found.append(Posed(photo, estimate.camera, overlap, doubts))
            show(number + 1)
    return found


def reconstruct_together(
    method: Reconstructor,
    first: View,
    further: FurtherPhotos,
    *,
    masks: str | None = None,
    matting: str = "auto",
    device: str = "cpu",
    seed: int = 0,
) -> Reconstruction:
    """The object of a photo and of those further ones whose poses are believed.

    Args:
        method: that takes several views.
        first: the first photo with its mask.
        masks: folder of the others' masks; None: their alpha, else found by `matting`.

    Raises:
        InputError: the method takes one photo alone, or a photo cannot be used.
    """
    if not method.several_views:
        name = method.card.name
        raise InputError(f"{name} works from one photo: choose lift, list, pixelnerf or triposr for --views.")
    others = further.others()
    photos = [
        segment(Photo.open(photo, mask=mask), backend=matting, device=device)
        for photo, mask in zip(others, masks_of(others, masks), strict=True)
    ]
    alone = method.reconstruct([first], generator=torch.Generator().manual_seed(seed))
    if not alone.has_camera:
        raise InputError(f"{method.card.name} finds no camera of the first photo, against which others are posed.")
    found = posed(alone, photos, seed=seed)
    believed = [View(each.photo, each.camera) for each in found if each.believed]
    told = tuple(
        f"{printable(each.photo.name)} is left out, as its camera is not to be believed: {'; '.join(each.doubts)}."
        for each in found
        if not each.believed
    )
    used = f"{len(believed)} of {len(found)} further photos are used; their cameras were found."
    none = f"None of {len(found)} further photos is used: the result is that of the first alone."
    told = (used if believed else none, *told)
    if believed:
        views = [View(alone.photo, alone.camera), *believed]
        alone = method.reconstruct(views, generator=torch.Generator().manual_seed(seed))
    own = alone.views[0]
    noted = View(replace(own.photo, notices=(*own.photo.notices, *told)), own.camera, own.covariance)
    return replace(alone, views=(noted, *alone.views[1:]))


def _overlap(first: Reconstruction, photo: Photo, camera: Camera) -> float:
    assert photo.mask is not None
    return float(mask_iou(render_mesh(first.mesh(), working_camera(camera, photo)).mask, photo.mask > 0.5))


def _same_lens(camera: Camera, photo: Photo) -> float:
    """The focal length of the first photo's camera in pixels of another photo of it, upright or not."""
    longest = max(photo.width, photo.height) / max(camera.width, camera.height)
    return float(camera.intrinsics[0, 0, 0]) * longest


def _same(one: str, other: str) -> bool:
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False
