"""Normals of the density, and colors under one light."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from .model import RealFusionField

Shading = Literal["albedo", "textureless", "lambertian", "normal"]
SHADINGS: tuple[Shading, ...] = get_args(Shading)


def slope_by_differences(field: RealFusionField, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Minus the central differences of the density, whose points stay in the box."""
    reach, bound = field.config.normal_epsilon, field.config.bound
    columns = []
    for axis in range(3):
        step = torch.zeros_like(points[:1])
        step[:, axis] = reach
        pair = torch.cat((points + step, points - step)).clamp(-bound, bound)
        ahead, behind = field.density(pair).reshape(2, len(points))
        columns.append((behind - ahead) * (0.5 / reach))
    return torch.stack(columns, dim=-1)


def unit(slope: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Vectors of unit length; zero where there is no direction."""
    length = slope.square().sum(dim=-1, keepdim=True).clamp_min(1e-20).sqrt()
    return torch.nan_to_num(slope / length, nan=0.0)


def normals(field: RealFusionField, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Unit normals that point to where the density falls; differentiable in the field."""
    if field.config.normals == "analytic":
        return unit(-field.log_slope(points))  # the density's own slope has the same direction
    return unit(slope_by_differences(field, points))


def shade(
    albedo: Float[Tensor, "n 3"],
    normal: Float[Tensor, "n 3"],
    light: Float[Tensor, " 3"],
    shading: Shading,
    ambient: float,
) -> Float[Tensor, "n 3"]:
    """Colors 0..1.

    Args:
        light: unit vector towards it.
        shading: "albedo" alone; "lambertian", lit; "textureless", lit and white; "normal", (n + 1) / 2.
        ambient: share of the light that comes from everywhere.

    Raises:
        InputError: there is no such shading.
    """
    if shading == "albedo":
        return albedo
    if shading == "normal":
        return 0.5 * (normal + 1.0)
    lit = ambient + (1.0 - ambient) * (normal @ light).clamp_min(0.0)[:, None]
    if shading == "textureless":
        return lit.expand_as(albedo)
    if shading != "lambertian":
        raise InputError(f"There is no shading {shading!r}: choose one of {', '.join(SHADINGS)}.")
    return albedo * lit
