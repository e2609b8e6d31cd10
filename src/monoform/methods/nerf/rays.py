"""Rays as NeRF's published code has them: not of unit length, pixel centres at whole numbers, and its NDC space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

FARTHEST = 1000.0  # depth in units of the near plane's; the parameter of a ray in NDC says little beyond


def published_rays(
    world_from_camera: Float[Tensor, "4 4"], height: int, width: int, focal: float
) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]]:
    """Origins and directions of all pixels of a camera with OpenGL axes; depth along its axis grows as the parameter.

    Pixel (0, 0) is seen at (0, 0), not at its centre: a house camera for the same rays has its principal point half a
    pixel further right and down (`from_integer_centres`).
    """
    rows, columns = torch.meshgrid(
        torch.arange(height).to(world_from_camera), torch.arange(width).to(world_from_camera), indexing="ij"
    )
    local = torch.stack(
        ((columns - 0.5 * width) / focal, -(rows - 0.5 * height) / focal, -torch.ones_like(rows)), dim=-1
    )
    directions = local @ world_from_camera[:3, :3].mT
    return world_from_camera[:3, 3].expand_as(directions), directions


def ndc_rays(
    origins: Float[Tensor, "*r 3"], directions: Float[Tensor, "*r 3"], scale: tuple[float, float], near: float = 1.0
) -> tuple[Float[Tensor, "*r 3"], Float[Tensor, "*r 3"]]:
    """Rays of a forward-facing scene in normalised device coordinates (Mildenhall et al. 2020, equations 25 and 26).

    Origins move to the plane z = -near; the parameter 0..1 then reaches from there to infinity.

    Args:
        scale: 2 focal / width and 2 focal / height.
    """
    reach = -(near + origins[..., 2:]) / directions[..., 2:]
    (x, y, z), (dx, dy, dz) = (origins + reach * directions).unbind(dim=-1), directions.unbind(dim=-1)
    sx, sy = scale
    start = torch.stack((-sx * x / z, -sy * y / z, 1.0 + 2.0 * near / z), dim=-1)
    along = torch.stack((-sx * (dx / dz - x / z), -sy * (dy / dz - y / z), -2.0 * near / z), dim=-1)
    return start, along


def ndc_distance(
    origins: Float[Tensor, "*r 3"], directions: Float[Tensor, "*r 3"], parameter: Float[Tensor, "*r"], near: float = 1.0
) -> Float[Tensor, "*r"]:
    """How far along a ray of the world that is which has this parameter on its `ndc_rays`, in lengths of its direction.

    The parameter is 1 minus near / depth, so that its mean is that of the disparities; beyond `FARTHEST` it is held.
    """
    depth = near / (1.0 - parameter).clamp_min(near / FARTHEST)
    return (-depth - origins[..., 2]) / directions[..., 2]
