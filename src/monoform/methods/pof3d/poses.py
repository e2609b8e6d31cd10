"""Cameras from yaw and elevation parameter, their intrinsics, and their mirror images (sections 3.1 and 3.4).

A pose (h, v) has the yaw h and the elevation parameter v, radians: the angle from +y is arccos(1 - 2 v / pi), so that a
uniform v is uniform on the sphere; pi / 2 is the equator. (pi / 2, pi / 2) is at (0, 0, radius), (pi, pi / 2) at
(radius, 0, 0).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import look_at
from .config import POLE

Mirror = Literal["left_right", "up_down", "front_back"]
MIRRORS: dict[str, tuple[Mirror, Mirror]] = {
    "flip_both": ("left_right", "up_down"),
    "flip_both_shapenet": ("front_back", "up_down"),
}
"""The two of which a training step takes one, by the release's names."""


def camera_poses(
    poses: Float[Tensor, "n k"],
    *,
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0),
    radius: float | Float[Tensor, " n"] = 2.7,
) -> Float[Tensor, "n 4 4"]:
    """world_from_camera of cameras around the origin that look at a pivot, without roll.

    Args:
        poses: (h, v), and what follows is not looked at; NaN comes of a v outside of 0..pi.
        radius: distance from the origin, world units.
    """
    yaw, elevation = poses[:, 0], poses[:, 1]
    polar = torch.acos(1 - 2 * elevation / math.pi)
    level = polar.sin()
    direction = torch.stack((-level * yaw.cos(), polar.cos(), level * yaw.sin()), dim=1)
    distance = torch.as_tensor(radius, dtype=poses.dtype, device=poses.device)
    return look_at(direction * distance.reshape(-1, 1), pivot)


def within_poles(poses: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n k"], int]:
    """The same poses with elevation parameters held between the poles, and how many of them were not."""
    elevation = poses[:, 1]
    held = elevation.clamp(POLE, math.pi - POLE)
    outside = int(((elevation < 0) | (elevation > math.pi)).sum())
    return torch.cat((poses[:, :1], held[:, None], poses[:, 2:]), dim=1), outside


def intrinsics_of(focal: float | Float[Tensor, " n"], count: int = 1) -> Float[Tensor, "n 3 3"]:
    """Intrinsics of images whose side is 1 and whose center is the principal point."""
    focal = torch.as_tensor(focal, dtype=torch.get_default_dtype() if isinstance(focal, float) else None)
    focal = focal.expand(count) if focal.ndim == 0 else focal
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    rows = (focal, zero, one / 2, zero, focal, one / 2, zero, zero, one)
    return torch.stack(rows, dim=-1).reshape(-1, 3, 3)


def mirrored(world_from_camera: Float[Tensor, "n 4 4"], mirror: Mirror) -> Float[Tensor, "n 4 4"]:
    """The camera that sees the mirrored world as this one sees the world, in a mirrored image.

    Args:
        mirror: left_right turns x around, up_down y; front_back turns z of the world around and x of the image.
    """
    world, image = {
        "left_right": ((-1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)),
        "up_down": ((1.0, -1.0, 1.0), (1.0, -1.0, 1.0)),
        "front_back": ((1.0, 1.0, -1.0), (-1.0, 1.0, 1.0)),
    }[mirror]
    signs = world_from_camera.new_tensor((*world, 1.0))[:, None] * world_from_camera.new_tensor((*image, 1.0))
    return world_from_camera * signs
