"""The paper's protocol (Yen-Chen et al. 2021, section 4): random starts around a true pose."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import so3_exp
from ...camera.conventions import Y_UP_FROM_Z_UP
from ...camera.rigid import rigid, rotation_x, rotation_y, rotation_z

About = Literal["world", "camera"]
EulerOrder = Literal["blender", "llff"]


def sphere_axis(uniform: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 3"]:
    """Unit vectors, evenly spread over the sphere, from two uniform draws in 0..1 each."""
    around, across = 2.0 * math.pi * uniform[..., 0], torch.acos(1.0 - 2.0 * uniform[..., 1])
    level = torch.sin(across)
    return torch.stack((level * torch.cos(around), level * torch.sin(around), torch.cos(across)), dim=-1)


def perturbed(
    world_from_camera: Float[Tensor, "b 4 4"],
    axis: Float[Tensor, "b 3"],
    angle: Float[Tensor, " b"],
    translation: Float[Tensor, "b 3"],
    *,
    about: About = "world",
) -> Float[Tensor, "b 4 4"]:
    """Poses turned and then shifted along the world's axes.

    Args:
        axis: unit, in the world.
        angle: radians.
        translation: world units.
        about: "world": turned about the world's origin, which carries a camera at distance r by up to
            2 r sin(angle / 2), as re-implementations do; "camera": turned in place.
    """
    turn = so3_exp(angle[:, None] * axis)
    rotation, position = turn @ world_from_camera[:, :3, :3], world_from_camera[:, :3, 3]
    if about == "world":
        position = (turn @ position[..., None])[..., 0]
    return rigid(rotation, position + translation)


def random_starts(
    world_from_camera: Float[Tensor, "4 4"],
    count: int,
    *,
    largest_angle: float,
    largest_offset: float,
    generator: torch.Generator,
    about: About = "world",
) -> Float[Tensor, "count 4 4"]:
    """Starts of the protocol: an axis evenly from the sphere, an angle and offsets evenly from their ranges.

    Args:
        largest_angle: radians; the paper has 40 degrees.
        largest_offset: world units along each axis; the paper has 0.2 for the synthetic scenes.
    """
    like = world_from_camera
    axis = sphere_axis(torch.rand(count, 2, generator=generator)).to(like)
    angle = largest_angle * (2.0 * torch.rand(count, generator=generator) - 1.0).to(like)
    offset = largest_offset * (2.0 * torch.rand(count, 3, generator=generator) - 1.0).to(like)
    return perturbed(like.expand(count, 4, 4), axis, angle, offset, about=about)


def euler_start(
    world_from_camera: Float[Tensor, "*b 4 4"],
    angles: tuple[float, float, float],
    shift: float,
    *,
    order: EulerOrder = "blender",
    up: Literal["y", "z"] = "y",
) -> Float[Tensor, "*b 4 4"]:
    """A fixed start of a widespread re-implementation: turned about the axes of the published world, and shifted.

    The published world has z up where its scenes are synthetic ones (blender) and y up where they face forward (llff).

    Args:
        angles: radians about z (phi), y (theta; from x to z) and x (psi); that about x comes first.
        shift: world units along z; after the turns (blender) or before them (llff).
        up: the axis of the poses' own world that points up.
    """
    like = world_from_camera
    phi, theta, psi = (torch.tensor(angle).to(like) for angle in angles)
    turn = rigid(rotation_z(phi) @ rotation_y(-theta) @ rotation_x(psi), torch.zeros(3).to(like))
    move = rigid(torch.eye(3).to(like), like.new_tensor([0.0, 0.0, shift]))
    motion = move @ turn if order == "blender" else turn @ move
    if order == "blender" and up == "y":
        upright = torch.tensor(Y_UP_FROM_Z_UP).to(like)
        motion = upright @ motion @ upright.mT
    return motion @ like
