"""Posed views brought to where objects live: centred on the origin, inside the sphere of radius 0.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..camera import Camera
from ..camera.sphere import nearest_point
from ..errors import InputError
from .reconstructed import View

RADIUS = 0.5
ROOM = 1.05  # masks bound the object only from where the photos were taken
_LEAST_SPREAD = 1e-3  # of view directions: the square of an angle in radians


def centered(views: Sequence[View]) -> list[View]:
    """The same views in a world that is moved and scaled, so that the object lies in the sphere of radius 0.5.

    The centre is the point nearest to the rays through the middles of the masks, the radius the largest distance of a
    ray through a mask from it.

    Args:
        views: two or more, with masks and posed pinhole cameras.

    Raises:
        InputError: a mask or a camera is missing, all views look along one direction, or the object is behind one.
    """
    for number, view in enumerate(views):
        if view.camera is None or view.photo.mask is None or not (view.photo.mask > 0.5).any():
            raise InputError(f"View {number + 1} ({view.photo.name}) lacks a camera, or its mask marks nothing.")
    rays = [_outline_rays(view) for view in views]
    middles = [_middle(origins, directions) for origins, directions in rays]
    center, sure = nearest_point(torch.stack([one for one, _ in middles]), torch.stack([ray for _, ray in middles]))
    if float(sure) * len(views) < _LEAST_SPREAD:
        raise InputError("All views look along one direction, which does not tell where the object is; add others.")
    for view, (origin, direction) in zip(views, middles, strict=True):
        if float((center - origin) @ direction) <= 0:
            raise InputError(
                f"The rays through the masks meet behind the camera of {view.photo.name}: are poses and photos in the "
                "same order, and of one object?"
            )
    radius = ROOM * max(float(_distances(center, *pair).max()) for pair in rays)
    if not radius > 0:
        raise InputError("The masks mark a single point; give larger ones.")
    return [replace(view, camera=_moved(view.camera, center, RADIUS / radius)) for view in views if view.camera]


def _outline_rays(view: View) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Rays through the outline of the mask, float64."""
    photo, camera = view.photo, view.camera
    assert photo.mask is not None and camera is not None
    inside = (photo.mask > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    working = torch.from_numpy(np.concatenate(contours)[:, 0].astype(np.float64)) + 0.5
    scale, corner = torch.tensor(photo.scale, dtype=torch.float64), torch.tensor(photo.crop[:2], dtype=torch.float64)
    origins, directions = camera.to(dtype=torch.float64).rays((working / scale + corner)[None])
    return origins[0], directions[0]


def _middle(origins: Tensor, directions: Tensor) -> tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]]:
    """The ray in the middle of the outline's."""
    middle = 0.5 * (directions.amax(0) + directions.amin(0))
    return origins[0], torch.nn.functional.normalize(middle, dim=0)


def _distances(
    center: Float[Tensor, " 3"], origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
) -> Float[Tensor, " n"]:
    """Distances of the rays' lines from the center."""
    return torch.linalg.cross(center - origins, directions).norm(dim=-1)


def _moved(camera: Camera, center: Float[Tensor, " 3"], scale: float) -> Camera:
    pose = camera.world_from_camera.clone()
    pose[:, :3, 3] = ((pose[:, :3, 3].double() - center) * scale).to(pose)
    return replace(camera, world_from_camera=pose)
