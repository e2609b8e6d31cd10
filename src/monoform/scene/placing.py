"""Where an object goes in the world: into the sphere of radius 0.5 around the origin."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

RADIUS = 0.49  # of the object's sphere: a little room is left


def placing(points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " 3"], float]:
    """The center of the points' box, and the scale of scale (p - center) that brings them into the sphere."""
    center = 0.5 * (points.min(0) + points.max(0))
    return center, RADIUS / float(np.linalg.norm(points - center, axis=1).max())


def front_rotation(ray: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """World-from-camera rotation that turns the camera-space unit vector `ray` to -z and keeps the photo upright."""
    down = torch.tensor([0.0, 1.0, 0.0], dtype=ray.dtype)
    right = torch.linalg.cross(down, ray)
    right = right / right.norm()
    down = torch.linalg.cross(ray, right)
    return torch.stack((right, -down, -ray))
