"""Published cameras as the house's, and back: matrices with OpenGL axes, focal lengths in image widths, crops."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, from_opengl, to_opengl
from ...errors import InputError

Size = tuple[int, int]


def camera_of(
    cam2world: Float[Tensor, "n 4 4"],
    focal: Float[Tensor, " n"] | None,
    size: Size,
    *,
    box: Float[Tensor, "n 2 2"] | None = None,
    center: Float[Tensor, "n 2"] | None = None,
) -> Camera:
    """Cameras of published numbers; differentiable in these.

    Args:
        cam2world: with OpenGL axes, positions in the world; of orthographic cameras, rotation and last entry are
            divided by the scale.
        focal: in widths of the uncropped image; None for orthographic cameras.
        size: height and width in pixels.
        box: of the part of the image that is seen: lower left corner and size, where the image is -1..1 and y is up.
        center: principal point, (x, y) of 0..1 from the upper left corner; without a box alone.

    Raises:
        InputError: both a box and a center are given.
    """
    if box is not None and center is not None:
        raise InputError("A camera has a box or a principal point: give one of them.")
    height, width = size
    if box is None:
        box = cam2world.new_tensor([[-1.0, -1.0], [2.0, 2.0]]).expand(len(cam2world), 2, 2)
    scale = 1 / cam2world[:, 3, 3] if focal is None else 2 * focal
    (left, low), (wide, high) = (part.unbind(dim=-1) for part in box.unbind(dim=1))
    fx, fy = scale * width / wide, scale * height / high
    cx, cy = -left * width / wide, (high + low) * height / high
    if center is not None:
        cx, cy = center[:, 0] * width, center[:, 1] * height
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    intrinsics = torch.stack((fx, zero, cx, zero, fy, cy, zero, zero, one), dim=-1).reshape(-1, 3, 3)
    if focal is not None:
        return Camera(from_opengl(cam2world), intrinsics, width, height)
    rotation, position = cam2world[:, :3, :3] * scale[:, None, None], cam2world[:, :3, 3:]
    last = cam2world.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(cam2world), 1, 4)
    rigid = torch.cat((torch.cat((rotation, position), dim=2), last), dim=1)
    return Camera(from_opengl(rigid), intrinsics, width, height, "orthographic")


def published_numbers(camera: Camera) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, " n"] | None]:
    """cam2world and focal length, None for orthographic cameras, of uncropped cameras: the inverse of `camera_of`."""
    pose = to_opengl(camera.world_from_camera)
    zoom = camera.intrinsics[:, 0, 0] / camera.width
    if camera.model == "pinhole":
        return pose, zoom
    scale = (2 * zoom)[:, None, None]
    return torch.cat((torch.cat((pose[:, :3, :3] / scale, pose[:, :3, 3:]), dim=2), pose[:, 3:] / scale), dim=1), None


def pixels_of(camera: Camera, corner: bool) -> Float[Tensor, "n m 2"]:
    """Where rays pass through each pixel, row by row: its upper left corner, or its center."""
    centers = camera.pixel_centers()
    return (centers - 0.5 if corner else centers).expand(len(camera), -1, -1)
