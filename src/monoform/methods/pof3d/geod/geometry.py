"""Depth maps as surfaces: their points, their normals, and what turns them.

Pixel i lies at i, and the corner pixels' centers bound the picture, as in the published code.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

_TINY = 1e-7


def focal_length(size: int, fov: float) -> float:
    """In pixels, so that `fov` degrees reach from the first pixel's center to the last one's."""
    return (size - 1) / 2 / math.tan(math.radians(fov) / 2)


def surface_points(depth: Float[Tensor, "n h w"], fov: float) -> Float[Tensor, "n h w 3"]:
    """The points of a depth map: x right, y down, z forward."""
    size = depth.shape[-1]
    ticks = (torch.arange(size, dtype=depth.dtype, device=depth.device) - (size - 1) / 2) / focal_length(size, fov)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x)), dim=-1) * depth[..., None]


def pixels_of(points: Float[Tensor, "*b 3"], size: int, fov: float) -> Float[Tensor, "*b 2"]:
    """Where points are seen, in pixels."""
    return points[..., :2] / points[..., 2:] * focal_length(size, fov) + (size - 1) / 2


def normals_of(depth: Float[Tensor, "n h w"], fov: float) -> Float[Tensor, "n h w 3"]:
    """Normals of unit length by central differences; (0, 0, 1) at the border."""
    points = surface_points(depth, fov)
    right = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    inner = torch.linalg.cross(right, down, dim=-1)
    border = inner.new_tensor((0.0, 0.0, 1.0)).expand(points.shape).clone()
    border[:, 1:-1, 1:-1] = inner
    return border / (torch.sqrt((border**2).sum(dim=-1, keepdim=True)) + _TINY)


def view_rotation(angles: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """Rz Ry Rx of angles about x, y and z, in radians."""
    cosine, sine = torch.cos(angles), torch.sin(angles)
    product = torch.eye(3, dtype=angles.dtype, device=angles.device)
    for axis in range(3):
        c, s, zero, one = cosine[:, axis], sine[:, axis], torch.zeros_like(sine[:, 0]), torch.ones_like(sine[:, 0])
        rows = {
            0: (one, zero, zero, zero, c, -s, zero, s, c),
            1: (c, zero, s, zero, one, zero, -s, zero, c),
            2: (c, -s, zero, s, c, zero, zero, zero, one),
        }[axis]
        product = torch.stack(rows, dim=-1).reshape(-1, 3, 3) @ product
    return product


def turned(
    points: Float[Tensor, "n h w 3"],
    rotation: Float[Tensor, "n 3 3"],
    shift: Float[Tensor, "n 3"],
    center_depth: float,
) -> Float[Tensor, "n h w 3"]:
    """Points turned about (0, 0, center_depth), then shifted."""
    center = points.new_tensor((0.0, 0.0, center_depth))
    return torch.einsum("nij,nhwj->nhwi", rotation, points - center) + center + shift[:, None, None]


def turned_back(
    points: Float[Tensor, "n h w 3"],
    rotation: Float[Tensor, "n 3 3"],
    shift: Float[Tensor, "n 3"],
    center_depth: float,
) -> Float[Tensor, "n h w 3"]:
    """The inverse of `turned`."""
    center = points.new_tensor((0.0, 0.0, center_depth))
    return torch.einsum("nji,nhwj->nhwi", rotation, points - shift[:, None, None] - center) + center
