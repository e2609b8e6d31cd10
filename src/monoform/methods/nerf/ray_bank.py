"""Pixels of a capture's photos as rays with colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ...camera import Camera
from ...data.capture import CaptureView, read_counted, read_image
from ...errors import InputError
from ...render.bounds import ray_sphere


@dataclass(frozen=True, eq=False)
class RayBatch:
    """Rays in the world and what they see.

    Attributes:
        origins: of the rays.
        directions: of the rays, of unit length.
        rgb: sRGB 0..1, not multiplied by alpha.
        alpha: 1 where photos have none.
        view: number of the photo.
    """

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    rgb: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    view: Int[Tensor, " r"]

    def first(self, count: int) -> RayBatch:
        """Some of the rays."""
        return RayBatch(*(each[:count] for each in vars(self).values()))


class RayBank:
    """All pixels of some photos that count and whose rays meet a sphere, in bytes; rays are made when they are drawn.

    Args:
        views: photos.
        downscale_factor: by how much each is made smaller.
        center: of the sphere, in the world.
        radius: of the sphere, in the world.
    """

    def __init__(
        self,
        views: Sequence[CaptureView],
        *,
        center: tuple[float, float, float],
        radius: float,
        downscale_factor: float = 1.0,
    ) -> None:
        self.cameras, pixels, chosen = [], [], []
        self.transparent = False
        for number, view in enumerate(views):
            image, counted, camera = load_downscaled(view, downscale_factor)
            self.transparent |= image.shape[2] == 4
            if image.shape[2] == 3:
                image = np.concatenate([image, np.ones_like(image[..., :1])], axis=2)
            origins, directions = camera.rays()
            _, _, hit = ray_sphere(origins[0], directions[0], radius, center)
            if counted is not None:
                hit = hit & torch.from_numpy(counted.reshape(-1))
            inside = hit.nonzero()[:, 0]
            self.cameras.append(camera)
            pixels.append(torch.from_numpy(np.rint(image.reshape(-1, 4) * 255.0).astype(np.uint8))[inside])
            chosen.append(torch.stack((torch.full_like(inside, number), inside), dim=1).int())
        self.pixels: UInt8[Tensor, "n 4"] = torch.cat(pixels)
        self.view_pixels: Int[Tensor, "n 2"] = torch.cat(chosen)
        if not len(self.pixels):
            raise InputError("No ray of any photo meets the scene's sphere; check its centre and radius, and the axes.")
        self._poses = torch.cat([camera.world_from_camera for camera in self.cameras])
        self._intrinsics = torch.cat([camera.intrinsics for camera in self.cameras])
        self._widths = torch.tensor([camera.width for camera in self.cameras])

    def __len__(self) -> int:
        return len(self.pixels)

    def places(self) -> Float[Tensor, "views 3"]:
        """Where the photos were taken from, in the world."""
        return self._poses[:, :3, 3]

    def draw(self, count: int, generator: torch.Generator) -> RayBatch:
        """Random pixels, with replacement."""
        return self.rays(torch.randint(len(self), (count,), generator=generator))

    def rays(self, chosen: Int[Tensor, " r"]) -> RayBatch:
        """The rays of chosen pixels."""
        view, pixel = self.view_pixels[chosen].long().unbind(dim=1)
        width = self._widths[view]
        across = torch.stack((pixel % width, pixel // width), dim=1) + 0.5
        # One camera for each ray; the size plays no part in where a pixel looks.
        each = Camera(self._poses[view], self._intrinsics[view], 1, 1)
        origins, directions = each.rays(across[:, None])
        values = self.pixels[chosen].float() / 255.0
        return RayBatch(origins[:, 0], directions[:, 0], values[:, :3], values[:, 3], view)


def load_downscaled(
    view: CaptureView, downscale_factor: float
) -> tuple[Float[np.ndarray, "h w c"], Bool[np.ndarray, "h w"] | None, Camera]:
    """A photo, which of its pixels count (None for all), and its camera, made smaller by a factor."""
    size = (max(1, round(view.camera.width / downscale_factor)), max(1, round(view.camera.height / downscale_factor)))
    return read_image(view, size), read_counted(view, size), view.camera.resized(*size)
