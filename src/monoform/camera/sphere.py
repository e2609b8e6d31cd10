"""Directions over the sphere, and the point that rays have in common."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError

FARTHEST = 1e9  # units of the world from its origin
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))


def fibonacci_sphere(count: int) -> Float[Tensor, "count 3"]:
    """Unit vectors spread evenly over the sphere, from +y to -y (a Fibonacci lattice); float64."""
    number = torch.arange(count, dtype=torch.float64)
    height = 1.0 - (2.0 * number + 1.0) / count
    level, angle = (1.0 - height.square()).sqrt(), GOLDEN_ANGLE * number
    return torch.stack((level * torch.cos(angle), height, level * torch.sin(angle)), dim=-1)


def nearest_point(
    origins: Float[Tensor, "v 3"], directions: Float[Tensor, "v 3"]
) -> tuple[Float[Tensor, " 3"], Float[Tensor, ""]]:
    """The point with the least sum of squared distances from the lines of rays.

    Args:
        origins: of the rays.
        directions: unit.

    Returns:
        The point, and how sure it is along the least sure direction: the mean squared sine between that and the rays, 0
        where all are parallel and the point could be anywhere along them.

    Raises:
        InputError: an origin is too far away for their sums, or a direction is none.
    """
    if not bool((origins.abs() < FARTHEST).all()) or not bool(torch.isfinite(directions).all()):
        raise InputError(f"The cameras lie more than {FARTHEST:g} units from the origin; scale their positions.")
    across = torch.eye(3).to(directions) - directions[:, :, None] * directions[:, None]
    matrix = across.mean(dim=0)
    point = torch.linalg.lstsq(matrix, (across @ origins[..., None]).mean(dim=0)).solution[:, 0]
    return point, torch.linalg.eigvalsh(matrix)[0]
