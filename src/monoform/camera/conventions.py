"""Axes of other people's cameras and worlds, and ours.

Ours: camera x right, y down, z forward; world Y up. OpenGL and Blender cameras: x right, y up, z backward.
Blender, nerfstudio and the ShapeNet renderings: world Z up.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Y_UP_FROM_Z_UP = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, -1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
"""World change of basis: +z up becomes +y up, x stays, and what was +y (away from a Blender front view) becomes -z."""


def from_opengl(world_from_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Our pose of a camera whose pose is given with OpenGL axes (x right, y up, z backward)."""
    return world_from_camera * world_from_camera.new_tensor([1.0, -1.0, -1.0, 1.0])


def to_opengl(world_from_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The pose with OpenGL camera axes (x right, y up, z backward) of one of our poses."""
    return from_opengl(world_from_camera)


def from_blender(world_from_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """Our pose, in our world, of a Blender camera's `matrix_world`: OpenGL camera axes, world Z up."""
    return y_up_from_z_up(from_opengl(world_from_camera))


def to_blender(world_from_camera: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The `matrix_world` that gives a Blender camera one of our poses."""
    return to_opengl(z_up_from_y_up(world_from_camera))


def y_up_from_z_up(motion: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The same pose in a world with Y up instead of Z up: (x, y, z) becomes (x, z, -y)."""
    return motion.new_tensor(Y_UP_FROM_Z_UP) @ motion


def z_up_from_y_up(motion: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The same pose in a world with Z up instead of Y up: (x, y, z) becomes (x, -z, y)."""
    return motion.new_tensor(Y_UP_FROM_Z_UP).mT @ motion


def from_integer_centers(intrinsics: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """Our intrinsics of ones that put pixel centres at whole numbers: the principal point moves by +0.5."""
    return _shift(intrinsics, 0.5)


def to_integer_centers(intrinsics: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """Intrinsics for software that puts pixel centres at whole numbers (OpenCV's calibration, pixelNeRF)."""
    return _shift(intrinsics, -0.5)


def _shift(intrinsics: Float[Tensor, "*b 3 3"], by: float) -> Float[Tensor, "*b 3 3"]:
    offset = torch.zeros(3, 3)
    offset[:2, 2] = by
    return intrinsics + offset.to(intrinsics)
