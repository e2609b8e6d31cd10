"""The square crop that the network takes, and the frame of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...scene.outline import signed_distance, squared_half_thickness

MARGIN = 1.12


@dataclass(frozen=True)
class Crop:
    """Squares of images, one for each camera, in the cameras' pixels.

    Attributes:
        center: of the square.
        half: half its side.
    """

    center: Float[Tensor, "b 2"]
    half: Float[Tensor, " b"]

    def grid(self, size: int) -> Float[Tensor, "b size size 2"]:
        """Camera pixels at the centres of size x size cells of the square."""
        steps = (torch.arange(size, device=self.half.device) + 0.5) * 2 / size - 1
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        return self.center[:, None, None] + self.half[:, None, None, None] * torch.stack((columns, rows), -1)

    def cut(self, images: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c size size"]:
        """The squares of images, resampled to size x size; zero outside the image."""
        extent = torch.tensor([images.shape[3], images.shape[2]]).to(self.center)
        grid = 2 * self.grid(size) / extent - 1
        return functional.grid_sample(images, grid.to(images.dtype), mode="bilinear", align_corners=False)

    def uv(self, camera: Camera, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 2"]:
        """Where the cameras see world points, in -1..1 across the square."""
        pixels, _ = camera.project(points)
        return (pixels - self.center[:, None]) / self.half[:, None, None]


def around(mask: Float[Tensor, "b h w"], *, margin: float = MARGIN) -> Crop:
    """The square around each mask's pixels above 0.5, with a margin."""
    lows, highs = [], []
    for one in mask > 0.5:
        rows, columns = one.any(dim=1).nonzero()[:, 0], one.any(dim=0).nonzero()[:, 0]
        if len(rows) == 0:
            rows = columns = torch.tensor([0, min(one.shape) - 1], device=mask.device)
        lows.append(torch.stack((columns[0], rows[0])))
        highs.append(torch.stack((columns[-1] + 1, rows[-1] + 1)))
    low, high = torch.stack(lows).to(mask.dtype), torch.stack(highs).to(mask.dtype)
    return Crop(0.5 * (low + high), 0.5 * margin * (high - low).amax(dim=1))


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
