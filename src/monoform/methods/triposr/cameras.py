"""The network's world, and the cameras that its pictures are taken with."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, look_at

UP = (0.0, 0.0, 1.0)
DISTANCE, FOV = 1.9, 40.0  # of the usual camera: network's units, degrees
WORLD_FROM_NETWORK = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
"""Rows of a rotation: the network's z is up, and its x comes to the viewer of the photo; in the house's world these are
y and z."""
FACING = {"+z": 0.0, "+x": 90.0, "-z": 180.0, "-x": 270.0}
"""Degrees about the vertical by which the side that the photo shows is turned to an axis of the world."""


def orbit_cameras(
    count: int, *, elevation: float, distance: float, fov: float, width: int, height: int, start: float = 0.0
) -> Camera:
    """Cameras around the network's cube that look at its middle, from +x on towards +y.

    Args:
        elevation: above the horizon, degrees.
        distance: of the middle, in the network's units.
        fov: vertical field of view, degrees.
        start: azimuth of the first, degrees.
    """
    azimuth = torch.deg2rad(start + 360.0 / count * torch.arange(count, dtype=torch.float64))
    height_angle = torch.tensor(math.radians(elevation), dtype=torch.float64)
    level = torch.cos(height_angle)
    eye = torch.stack((level * azimuth.cos(), level * azimuth.sin(), torch.sin(height_angle).expand(count)), -1)
    return Camera.from_fov(look_at(distance * eye, up=UP), math.radians(fov), width, height)


def world_from_network(facing: str) -> Float[Tensor, "3 3"]:
    """Rotation into a world whose y is up; `facing` is the axis to which the pictured side looks."""
    turn = math.radians(FACING[facing])
    about = torch.tensor(
        [[math.cos(turn), 0.0, math.sin(turn)], [0.0, 1.0, 0.0], [-math.sin(turn), 0.0, math.cos(turn)]]
    )
    return about.round(decimals=6) @ torch.tensor(WORLD_FROM_NETWORK)
