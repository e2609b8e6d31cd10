"""A photo at several sizes, each smoothed, with its slopes: what a rendered picture is laid over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate, pad

from ...camera import Camera

SMOOTHING = 0.8  # pixels of a level, standard deviation


@dataclass(frozen=True, eq=False)
class Level:
    """A photo at one size.

    Attributes:
        layers: colours, then their slopes along x and along y per pixel.
        camera: one camera of this size, of any pose.
        local: pixels around which the mean was taken off; 0: it was not.
    """

    layers: Float[Tensor, "9 h w"]
    camera: Camera
    local: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.camera.width, self.camera.height

    @property
    def colors(self) -> Float[Tensor, "h w 3"]:
        """The smoothed photo."""
        return self.layers[:3].permute(1, 2, 0)

    def at(self, pixels: Float[Tensor, "b 2 n"]) -> tuple[Float[Tensor, "b 9 n"], Bool[Tensor, "b n"]]:
        """Colours and slopes at pixels, and which lie in the photo."""
        size = pixels.new_tensor(self.size)[:, None]
        grid = (2.0 * pixels / size - 1.0).nan_to_num(2.0, 2.0, -2.0).clamp(-2, 2).mT[None]
        found = grid_sample(self.layers[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
        return found[0].transpose(0, 1), ((pixels > 0) & (pixels < size)).all(1)


def level(image: Float[Tensor, "h w 3"], camera: Camera, longest: int, local: float = 0.0) -> Level:
    """The photo with `longest` pixels on its longer side, at most its own; `detailed` where `local` is above 0."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = (max(4, round(height * scale)), max(4, round(width * scale)))
    small = interpolate(image.permute(2, 0, 1)[None], size, mode="area" if scale < 1 else "bilinear")[0]
    small = detailed(smoothed(small, SMOOTHING), local)
    layers = torch.cat((small, *slopes(small)))
    return Level(layers, camera.resized(size[1], size[0]), local)


def smoothed(image: Float[Tensor, "*c h w"], sigma: float) -> Float[Tensor, "*c h w"]:
    """Convolved with a Gaussian of `sigma` pixels; beyond the border the border's value."""
    if sigma <= 0:
        return image
    reach = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-reach, reach + 1).to(image)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = kernel / kernel.sum()
    flat = image.reshape(-1, 1, *image.shape[-2:])
    across = conv2d(pad(flat, (reach, reach, 0, 0), mode="replicate"), kernel[None, None, None])
    down = conv2d(pad(across, (0, 0, reach, reach), mode="replicate"), kernel[None, None, :, None])
    return down.reshape(image.shape)


def detailed(image: Float[Tensor, "*c h w"], local: float) -> Float[Tensor, "*c h w"]:
    """What differs from the mean around, a Gaussian of `local` pixels: light that varies slowly is taken off."""
    return image if local <= 0 else image - smoothed(image, local)


def slopes(image: Float[Tensor, "*c h w"]) -> tuple[Float[Tensor, "*c h w"], Float[Tensor, "*c h w"]]:
    """Central differences along x and y, per pixel."""
    padded = pad(image.reshape(-1, 1, *image.shape[-2:]), (1, 1, 1, 1), mode="replicate")
    across = 0.5 * (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2])
    down = 0.5 * (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1])
    return across.reshape(image.shape), down.reshape(image.shape)
