"""Camera poses that look at something: one, or a circle of them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError
from .camera import Camera
from .rigid import rigid

Vector3 = tuple[float, float, float]
# Below this sine of the angle between view and up direction, rounding decides the roll: use a fixed one instead.
PARALLEL = 1e-4


def look_at(
    eye: Float[Tensor, "b 3"],
    target: Float[Tensor, "b 3"] | Vector3 = (0.0, 0.0, 0.0),
    up: Vector3 = (0.0, 1.0, 0.0),
) -> Float[Tensor, "b 4 4"]:
    """world_from_camera of cameras at `eye` whose +z axis points at `target` and whose -y axis points `up`.

    An eye straight above or below its target gets the roll of the limit: for `up` = +y the image's right is world +x.

    Raises:
        InputError: an eye is at its target, or `up` is zero.
    """
    forward = torch.as_tensor(target, dtype=eye.dtype, device=eye.device) - eye
    if bool((forward == 0).all(dim=-1).any()) or not any(up):
        raise InputError("look_at has an eye at its target or a zero up axis: there is no direction to look; move it.")
    forward = normalize(forward, dim=-1)
    up_axis = normalize(eye.new_tensor(up), dim=-1).expand_as(forward)
    right = torch.linalg.cross(forward, up_axis)
    mostly_x = abs(up[0]) > 0.9 * math.hypot(*up)
    sideways = eye.new_tensor((0.0, 0.0, 1.0) if mostly_x else (1.0, 0.0, 0.0))
    fallback = sideways - (forward @ sideways)[:, None] * forward
    parallel = right.detach().norm(dim=-1, keepdim=True) < PARALLEL
    right = normalize(torch.where(parallel, fallback, right), dim=-1)
    rotation = torch.stack((right, torch.linalg.cross(forward, right), forward), dim=-1)
    return rigid(rotation, eye)


def spherical_position(
    azimuth: Float[Tensor, " b"], elevation: Float[Tensor, " b"], distance: Float[Tensor, " b"] | float
) -> Float[Tensor, "b 3"]:
    """Points around the origin: azimuth about +y from +z towards +x, elevation from the horizon; radians."""
    level = torch.cos(elevation)
    direction = torch.stack((level * torch.sin(azimuth), torch.sin(elevation), level * torch.cos(azimuth)), dim=-1)
    scale = torch.as_tensor(distance, dtype=direction.dtype, device=direction.device)
    return direction * scale[..., None]


def orbit(
    n: int,
    *,
    elevation: float,
    distance: float,
    fov_y: float,
    width: int,
    height: int,
    start: float = 0.0,
) -> Camera:
    """`n` cameras on a circle around +y that look at the origin; angles in radians.

    Azimuth 0 is at +z looking to -z, it increases towards +x; camera i has azimuth start + 2 pi i / n.

    Raises:
        InputError: `n` is below 1 or `distance` is not positive.
    """
    if n < 1 or not distance > 0:
        raise InputError(
            f"orbit has n = {n} and distance = {distance}; give at least 1 camera and a positive distance."
        )
    azimuth = start + torch.arange(n, dtype=torch.float64) * (2.0 * math.pi / n)
    eye = spherical_position(azimuth, torch.full_like(azimuth, elevation), distance)
    return Camera.from_fov(look_at(eye).float(), fov_y, width, height)
