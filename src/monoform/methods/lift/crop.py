"""The square crop that the network takes, and the frame of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...scene.crop import Crop
from ...scene.outline import signed_distance, squared_half_thickness


def with_outlines(crops: Float[Tensor, "b 4 s s"]) -> Float[Tensor, "b 6 s s"]:
    """Crops with what their masks say by themselves, at half their resolution and in half sides of the crop.

    The further channels are the distance to the outline, positive inside, and half the thickness of the round solid in
    it (`scene.outline`), 0 outside.
    """
    maps = []
    for mask in functional.avg_pool2d(crops[:, 3:], 2)[:, 0].cpu().numpy():
        distance = signed_distance(mask)
        squared = squared_half_thickness(distance, smoothing=1.0)
        maps.append(np.stack((distance, np.sqrt(np.maximum(squared, 0)))) * 2 / len(mask))
    made = torch.from_numpy(np.stack(maps)).to(crops)
    return torch.cat((crops, functional.interpolate(made, scale_factor=2)), 1)


@dataclass(frozen=True)
class CropFrame:
    """The network's frame in the world: z along the ray through the crop's centre, x and y as the camera's.

    Attributes:
        world_from_frame: rotation and origin; the columns of the rotation are x, y and z.
        unit: world units per unit of the frame: the crop's half side at the origin's depth.
    """

    rotation: Float[Tensor, "b 3 3"]
    origin: Float[Tensor, "b 3"]
    unit: Float[Tensor, " b"]

    def from_world(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """World points in the frame."""
        return (points - self.origin[:, None]) @ self.rotation / self.unit[:, None, None]

    def to_world(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Points of the frame in the world."""
        return points * self.unit[:, None, None] @ self.rotation.mT + self.origin[:, None]


def frame_of(camera: Camera, crop: Crop, distance: Float[Tensor, " b"]) -> CropFrame:
    """The frame whose origin lies on the ray through the crop's centre, at `distance` from the camera."""
    origins, rays = camera.rays(crop.center[:, None])
    forward = rays[:, 0]
    down = camera.world_from_camera[:, :3, 1]
    right = functional.normalize(torch.linalg.cross(down, forward, dim=-1), dim=-1)
    down = torch.linalg.cross(forward, right, dim=-1)
    depth = (forward * camera.world_from_camera[:, :3, 2]).sum(-1) * distance
    focal = 0.5 * (camera.intrinsics[:, 0, 0] + camera.intrinsics[:, 1, 1])
    rotation = torch.stack((right, down, forward), dim=-1)
    return CropFrame(rotation, origins[:, 0] + forward * distance[:, None], crop.half * depth / focal)
