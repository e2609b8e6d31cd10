"""Cameras around the object: the photo's, those of the prior's views, and which side of it they see."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

LABELS = ("front", "side", "back", "side", "overhead", "bottom")
FRONT, BACK, OVERHEAD, BOTTOM = 0, 2, 4, 5
JITTER = (0.1, 0.2, 0.02)  # of a camera's center and target in world units, and of its vertical


@dataclass(frozen=True, eq=False)
class Jitter:
    """Draws that move cameras.

    Attributes:
        center: 0..1.
        target: normal.
        down: normal.
    """

    center: Float[Tensor, "b 3"]
    target: Float[Tensor, "b 3"]
    down: Float[Tensor, "b 3"]


def on_sphere(
    theta: Float[Tensor, " b"], phi: Float[Tensor, " b"], radius: Float[Tensor, " b"] | float
) -> Float[Tensor, "b 3"]:
    """Places at polar angles from +y and azimuths from +z towards +x, in radians."""
    flat = theta.sin()
    places = torch.stack((flat * phi.sin(), theta.cos(), flat * phi.cos()), dim=-1)
    return places * (radius[:, None] if isinstance(radius, Tensor) else radius)


def angles_of(directions: Float[Tensor, "b 3"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The polar angle from +y and the azimuth 0..2 pi of unit vectors."""
    phi = torch.atan2(directions[:, 0], directions[:, 2])
    return directions[:, 1].clamp(-1.0, 1.0).acos(), torch.where(phi < 0, phi + 2.0 * math.pi, phi)


def upper_box(draws: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    """Unit vectors of the upper half space, even in the box around it; draws are 0..1."""
    spread = draws.new_tensor([2.0, 1.0, 2.0])
    return functional.normalize(draws * spread - draws.new_tensor([1.0, 0.0, 1.0]), dim=-1)


def look_at(
    centers: Float[Tensor, "b 3"], *, mirrored: bool = False, jitter: Jitter | None = None
) -> Float[Tensor, "b 4 4"]:
    """World-from-camera poses, x right, y down, z forward, that look at the origin.

    Args:
        mirrored: the image's right is the world's left, as in the published code.
        jitter: moves them; axes are then only about perpendicular.
    """
    target, down = torch.zeros_like(centers), torch.tensor([0.0, -1.0, 0.0]).to(centers)
    if jitter is not None:
        centers = centers + (2.0 * jitter.center - 1.0) * JITTER[0]
        target = target + jitter.target * JITTER[1]
    forward = functional.normalize(target - centers, dim=-1)
    right = functional.normalize(torch.linalg.cross(forward, down.expand_as(forward)), dim=-1)
    below = torch.linalg.cross(right, forward)
    if jitter is not None:
        below = below + jitter.down * JITTER[2]
    below = functional.normalize(below, dim=-1)
    poses = torch.eye(4).to(centers).repeat(len(centers), 1, 1)
    poses[:, :3] = torch.stack((right if mirrored else -right, below, forward, centers), dim=-1)
    return poses


def rays(
    poses: Float[Tensor, "b 4 4"], fov: Float[Tensor, " b"] | float, width: int, height: int
) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 3"]]:
    """Origins and unit directions through all pixel centers, row by row; the vertical field of view in degrees."""
    half = torch.deg2rad(torch.as_tensor(fov, dtype=poses.dtype, device=poses.device)).expand(len(poses)) * 0.5
    focal = 0.5 * height / half.tan()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack((columns.flatten() + 0.5 - 0.5 * width, rows.flatten() + 0.5 - 0.5 * height), -1).to(poses)
    flat = pixels[None] / focal[:, None, None]
    along = functional.normalize(torch.cat((flat, torch.ones_like(flat[..., :1])), dim=-1), dim=-1)
    directions = along @ poses[:, :3, :3].mT
    return poses[:, None, :3, 3].expand_as(directions), directions


def view_labels(
    theta: Float[Tensor, " b"],
    phi: Float[Tensor, " b"],
    *,
    front: float = 60.0,
    overhead: float = 30.0,
    centered: bool = True,
) -> Int[Tensor, " b"]:
    """Indices into `LABELS` of what cameras at these angles see, in radians.

    Args:
        front: degrees of the sectors of front and back.
        overhead: degrees around the poles.
        centered: the front's sector has the photo's view in its middle; otherwise it begins there, as published.
    """
    wide, high = math.radians(front), math.radians(overhead)
    turned = (phi + 0.5 * wide) % (2.0 * math.pi) if centered else phi
    behind = math.pi
    labels = torch.full_like(phi, 3, dtype=torch.int64)
    labels[turned < behind + wide] = BACK
    labels[turned < behind] = 1
    labels[turned < wide] = FRONT
    labels[theta <= high] = OVERHEAD
    labels[theta >= math.pi - high] = BOTTOM
    return labels
