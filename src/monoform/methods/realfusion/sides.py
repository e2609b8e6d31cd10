"""Which side of the object views see: in words, and as the camera's way from the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .cameras import FRONT, angles_of
from .fit_options import FitOptions
from .photo_square import PhotoSquare


@dataclass(frozen=True, eq=False)
class Sides:
    """Cameras of views, as priors are told of them.

    Attributes:
        labels: indices into `cameras.LABELS`.
        elevation: above the photo's, in radians.
        azimuth: from the photo's, in radians, counterclockwise from above the object itself (not its mirror image).
        distance: beyond the photo's of a camera with the photo's field of view that sees the object as large, in
            world units.
        turn: angle between its direction and the photo's, 0..pi.
    """

    labels: Int[Tensor, " b"]
    elevation: Float[Tensor, " b"]
    azimuth: Float[Tensor, " b"]
    distance: Float[Tensor, " b"]
    turn: Float[Tensor, " b"]

    @classmethod
    def of(
        cls,
        poses: Float[Tensor, "b 4 4"],
        fov: Float[Tensor, " b"],
        labels: Int[Tensor, " b"],
        square: PhotoSquare,
        options: FitOptions,
    ) -> Sides:
        """Those of cameras that look at the origin.

        Args:
            fov: vertical field of view in degrees.
        """
        centers = poses[:, :3, 3]
        far = centers.norm(dim=1)
        theta, phi = angles_of(centers / far[:, None])
        own = square.pose[:3, 3].to(centers)
        turn = ((centers @ own) / (far * own.norm())).clamp(-1.0, 1.0).acos()
        beside = math.acos(float(own[1] / own.norm()))
        azimuth = -phi if options.network.mirrored else phi
        reach = far * torch.deg2rad(0.5 * fov).tan() / square.reach(float(own.norm()))
        return cls(labels, beside - theta, azimuth, options.views.radius * (reach - 1.0), turn)

    @classmethod
    def front(cls, labels: Int[Tensor, " b"]) -> Sides:
        """As many of the photo's own camera."""
        none = torch.zeros(len(labels), device=labels.device)
        return cls(torch.full_like(labels, FRONT), none, none, none, none)
