"""Squares around objects: found by their masks, moved at random in training, cut out of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..camera import Camera

MARGIN = 1.12
SHIFT = 0.04  # standard deviation of random shifts, in sides


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

    def jittered(self, low: float, high: float, generator: torch.Generator, *, shift: float = SHIFT) -> Crop:
        """Squares of `low` to `high` times the side, uniform, and shifted by `shift` sides, normal."""
        half = self.half * (low + (high - low) * torch.rand(len(self.half), generator=generator))
        return Crop(self.center + shift * 2 * half[:, None] * torch.randn(len(half), 2, generator=generator), half)


def around(masks: Float[Tensor, "b h w"], *, margin: float = MARGIN) -> Crop:
    """The square around what is above 0.5 in each mask, or around the whole image where nothing is.

    Args:
        margin: side of the square in longest sides of the object.
    """
    ends = []
    for line in ((masks > 0.5).any(1), (masks > 0.5).any(2)):
        length, some = line.shape[1], line.any(1)
        first = line.float().argmax(1)
        ends.append((first, torch.where(some, length - line.flip(1).float().argmax(1), length)))
    low, high = (torch.stack(each, 1).to(masks.dtype) for each in zip(*ends, strict=True))
    return Crop(0.5 * (low + high), 0.5 * margin * (high - low).amax(dim=1))
