"""How sure a camera's pose is that was solved from points and where they are seen."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .camera import Camera
from .lie import hat
from .pnp import DEVIATION, TUKEY
from .rigid import transform_points

FREE = 6  # numbers of a pose
_SINGULAR = 1e12  # condition from which a motion cannot be seen in the image


def pose_covariance(
    camera: Camera,
    points: Float[Tensor, "n 3"],
    pixels: Float[Tensor, "n 2"],
    weights: Float[Tensor, n],
) -> Float[Tensor, "6 6"] | None:
    """Covariance of a motion in the camera's axes, rotation (radians) before translation; None where it is not fixed.

    The inverse of the Gauss-Newton matrix times the variance of the errors, under Tukey's weights as the pose was found
    by: what independent errors of the points would do. Those of neighbors are alike where a network has told them, so
    that it is a lower bound. The focal length counts as known.

    Args:
        camera: one, that was found.
        points: in the world.
        pixels: where they are seen.
        weights: confidence, 0 leaves a point out.
    """
    chosen = weights > 0
    points, pixels, weights = (each[chosen].double() for each in (points, pixels, weights))
    camera = camera.to("cpu", torch.float64)
    if len(points) * 2 <= FREE:
        return None
    errors = camera.project(points[None])[0][0] - pixels
    apart = errors.norm(dim=1)
    reach = (TUKEY * DEVIATION * apart.median()).clamp_min(1e-9)
    weights = weights * (1 - (apart / reach).clamp(max=1).square()).square()
    slopes = _slopes(camera, transform_points(camera.camera_from_world[0], points))
    matrix = torch.einsum("n,nij,nik->jk", weights, slopes, slopes)
    scale = matrix.diagonal().clamp_min(1e-30).rsqrt()  # radians and world units meet as equals
    unit = matrix * scale[:, None] * scale
    if not bool(torch.isfinite(unit).all()) or bool(torch.linalg.cond(unit) > _SINGULAR):
        return None
    count = weights.sum() * 2
    variance = (weights * errors.square().sum(dim=1)).sum() / count * len(points) * 2 / (len(points) * 2 - FREE)
    return torch.linalg.inv(unit) * scale[:, None] * scale * variance


def _slopes(camera: Camera, local: Float[Tensor, "n 3"]) -> Float[Tensor, "n 2 6"]:
    """Derivatives of pixels by a motion of the camera, for points in its axes."""
    x, y, z = local.unbind(dim=1)
    none, one = torch.zeros_like(x), torch.ones_like(x)
    if camera.model == "pinhole":
        plane = torch.stack([torch.stack([1 / z, none, -x / z**2], 1), torch.stack([none, 1 / z, -y / z**2], 1)], 1)
    else:
        plane = torch.stack([torch.stack([one, none, none], 1), torch.stack([none, one, none], 1)], 1)
    # As a camera turns and moves, it sees points turn and move the other way.
    moved = torch.cat([hat(local), -torch.eye(3).to(local).expand(len(local), 3, 3)], dim=2)
    return camera.intrinsics[0, :2, :2] @ plane @ moved
