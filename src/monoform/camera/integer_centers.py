"""Pinhole cameras of software that puts pixel centres at whole numbers, from focal lengths and principal points."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .camera import Camera
from .conventions import from_integer_centers

PixelPair = float | tuple[float, float]


def integer_center_camera(
    world_from_camera: Float[Tensor, "b 4 4"],
    width: int,
    height: int,
    focal: PixelPair | Float[Tensor, "b 2"],
    principal_point: PixelPair | Float[Tensor, "b 2"] | None = None,
) -> Camera:
    """Our cameras for intrinsics with pixel centres at whole numbers: the principal point moves by +0.5.

    Args:
        world_from_camera: poses with our axes (x right, y down, z forward).
        width: pixels.
        height: pixels.
        focal: pixels, one number or (fx, fy), for all cameras or for each.
        principal_point: (cx, cy) with pixel centres at whole numbers; None is (width / 2, height / 2).
    """
    if principal_point is None:
        principal_point = (0.5 * width, 0.5 * height)
    intrinsics = torch.zeros(len(world_from_camera), 3, 3).to(world_from_camera)
    intrinsics[:, 2, 2] = 1.0
    intrinsics[:, (0, 1), (0, 1)] = _pair(focal, world_from_camera)
    intrinsics[:, :2, 2] = _pair(principal_point, world_from_camera)
    return Camera(world_from_camera, from_integer_centers(intrinsics), width, height)


def _pair(values: PixelPair | Tensor, like: Tensor) -> Tensor:
    pair = torch.as_tensor(values, dtype=like.dtype, device=like.device)
    return pair.expand(len(like), 2)
