"""Rigid motions as 4 x 4 matrices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rigid(rotation: Float[Tensor, "*b 3 3"], translation: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 4 4"]:
    """The 4 x 4 matrix that rotates, then translates."""
    top = torch.cat((rotation, translation[..., None]), dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat((top, bottom), dim=-2)


def rigid_inverse(motion: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The inverse of a rigid motion, by transposing its rotation."""
    rotation = motion[..., :3, :3].mT
    return rigid(rotation, -(rotation @ motion[..., :3, 3:])[..., 0])


def transform_points(motion: Float[Tensor, "*b 4 4"], points: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Points moved by a rigid motion."""
    return points @ motion[..., :3, :3].mT + motion[..., None, :3, 3]


def rotation_x(angle: Float[Tensor, "*b"]) -> Float[Tensor, "*b 3 3"]:
    """Right-handed rotation about +x by `angle` radians."""
    return _axis_rotation(angle, 0)


def rotation_y(angle: Float[Tensor, "*b"]) -> Float[Tensor, "*b 3 3"]:
    """Right-handed rotation about +y by `angle` radians."""
    return _axis_rotation(angle, 1)


def rotation_z(angle: Float[Tensor, "*b"]) -> Float[Tensor, "*b 3 3"]:
    """Right-handed rotation about +z by `angle` radians."""
    return _axis_rotation(angle, 2)


def _axis_rotation(angle: Float[Tensor, "*b"], axis: int) -> Float[Tensor, "*b 3 3"]:
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [[zero] * 3 for _ in range(3)]
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rows[axis][axis] = one
    rows[i][i], rows[i][j], rows[j][i], rows[j][j] = cos, -sin, sin, cos
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
