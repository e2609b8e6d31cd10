"""Published cameras of pixelNeRF and ours.

A published pose is camera-to-world with x right, y up, z backward; pixel centres are whole numbers, so that the default
principal point (W/2, H/2) lies half a pixel right of and below the image centre; near and far are distances along
unit rays. Here they become a `Camera`: the axes turn, the principal point moves by +0.5.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from torch import Tensor

from ...camera import Camera, from_opengl, rigid, rotation_from_quaternion
from ...camera.conventions import Y_UP_FROM_Z_UP
from ...camera.integer_centers import PixelPair, integer_center_camera
from ...camera.rigid import rotation_x, rotation_y

# World axes of the trajectories: what the angles turn around as y and z becomes z and y, mirrored x.
_Z_UP = ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
# Key views of the DTU film: time, then quaternion (w, x, y, z); the film is periodic.
_SCAN_KEYS = (
    (0.0, 0.9698, 0.2121, 0.1203, -0.0039),
    (2.0, 0.7020, 0.1578, 0.4525, 0.5268),
    (3.0, 0.6766, 0.3176, 0.5179, 0.4161),
    (5.0, 0.9085, 0.4020, 0.1139, -0.0025),
    (6.0, 0.9698, 0.2121, 0.1203, -0.0039),
)
_SCAN_DISTANCE = 2.0


def from_published(
    poses: Float[Tensor, "b 4 4"],
    width: int,
    height: int,
    focal: PixelPair | Float[Tensor, "b 2"],
    principal_point: PixelPair | Float[Tensor, "b 2"] | None = None,
) -> Camera:
    """Our cameras for published poses and intrinsics.

    Args:
        poses: camera-to-world, x right, y up, z backward.
        width: pixels.
        height: pixels.
        focal: pixels, one number or (fx, fy), for all cameras or for each.
        principal_point: (cx, cy) with pixel centres at whole numbers; None is (width / 2, height / 2).
    """
    return integer_center_camera(from_opengl(poses), width, height, focal, principal_point)


def published_rays(camera: Camera, near: float, far: float) -> Float[Tensor, "b h w 8"]:
    """Rays of every pixel as published: origin, unit direction, near, far."""
    origins, directions = camera.rays()
    limits = origins.new_tensor([near, far]).expand(*origins.shape[:-1], 2)
    return torch.cat((origins, directions, limits), dim=-1).reshape(len(camera), camera.height, camera.width, 8)


def spherical_pose(theta: float, phi: float, radius: float) -> Float[Tensor, "4 4"]:
    """Published pose at `radius` in a world with Z up, looking at the origin; theta, phi in radians.

    Theta turns around the vertical axis, phi is the elevation, negative from above.
    """
    swing = rotation_y(torch.tensor(-theta, dtype=torch.float64)) @ rotation_x(torch.tensor(phi, dtype=torch.float64))
    rotation = torch.tensor(_Z_UP, dtype=torch.float64) @ swing
    return rigid(rotation, radius * rotation[:, 2]).float()


def camera_path(n: int, elevation: float, radius: float) -> Float[Tensor, "n 4 4"]:
    """Published poses of the default film: a circle that starts at theta = -pi; elevation in radians."""
    return torch.stack([spherical_pose(-math.pi + 2.0 * math.pi * k / n, elevation, radius) for k in range(n)])


def real_car_path(n: int, elevation: float, radius: float) -> Float[Tensor, "n 4 4"]:
    """The same circle in a world with Y up, as for photos of real cars: at elevation 0 it starts at (0, 0, radius)."""
    return torch.tensor(Y_UP_FROM_Z_UP) @ camera_path(n, elevation, radius)


def scan_path(n: int) -> Float[Tensor, "m 4 4"]:
    """Published poses of the DTU film: a periodic spline through key rotations; m = 6 (n // 5), both ends equal."""
    keys = np.array(_SCAN_KEYS)
    spline = CubicSpline(keys[:, 0], keys[:, 1:], bc_type="periodic")
    times = np.linspace(keys[0, 0], keys[-1, 0], n // 5 * 6)
    rotation = rotation_from_quaternion(torch.from_numpy(spline(times)))
    return rigid(rotation, _SCAN_DISTANCE * rotation[:, :, 2]).float()


def quaternion_w_first(rotation: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 4"]:
    """(w, x, y, z) by the published formula, which divides by w and loses all digits near half a turn.

    For comparisons with published numbers; `camera.quaternion_from_rotation` is exact at every angle.
    """
    w = 0.5 * torch.sqrt(1.0 + rotation.diagonal(dim1=-2, dim2=-1).sum(-1))
    off_axis = rotation - rotation.mT
    vector = torch.stack((off_axis[:, 2, 1], off_axis[:, 0, 2], off_axis[:, 1, 0]), dim=-1)
    return torch.cat((w[:, None], vector / (4.0 * w[:, None])), dim=-1)
