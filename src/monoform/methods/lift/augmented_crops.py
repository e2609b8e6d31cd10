"""Test-time augmentation: the object's crop shifted, zoomed and mirrored, and the predictions for each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ...devices import CPU, device_of, to_device
from ...scene import Photo
from ...scene.crop import Crop
from .crop import with_outlines
from .model import LiftNet, Surfaces, turned_over

ZOOM, SHIFT = (0.95, 1.15), 0.04  # as in training


@dataclass(frozen=True)
class AugmentedCrops:
    """Crops around one object; the first is the crop itself, every second is mirrored.

    Attributes:
        crop: the squares.
        mirrored: which are turned over.
        pixels: what the network sees of each.
        zoom: half sides in that of the first.
        shift: centres, in half sides of the first.
    """

    crop: Crop
    mirrored: Bool[Tensor, " k"]
    pixels: Float[Tensor, "k 6 s s"]
    zoom: Float[Tensor, " k"]
    shift: Float[Tensor, "k 2"]


def augmented_crops(photo: Photo, crop: Crop, size: int, count: int, *, generator: torch.Generator) -> AugmentedCrops:
    """`count` crops around the object of a photo with a mask; the first two are the crop and its mirror image."""
    assert photo.mask is not None
    zoom = ZOOM[0] + (ZOOM[1] - ZOOM[0]) * torch.rand(count, generator=generator)
    shift = SHIFT * torch.randn(count, 2, generator=generator).clamp(-2, 2)
    zoom[:2], shift[:2] = 1.0, 0.0
    half = float(crop.half[0])
    squares = Crop(crop.center + shift * half, crop.half * zoom)
    image = np.concatenate((photo.rgb * photo.mask[..., None], photo.mask[..., None]), axis=2).astype(np.float32)
    # Averages before sampling: a crop that is much larger than its cells would alias.
    sigma = max(half * 2 / size / 2 - 0.5, 0.0)
    soft = torch.from_numpy(cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.1 else image).permute(2, 0, 1)
    pixels = squares.cut(soft[None].expand(count, -1, -1, -1), size)
    mirrored = torch.arange(count) % 2 == 1
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
    return AugmentedCrops(squares, mirrored, with_outlines(pixels), zoom, shift)


def predictions(
    net: LiftNet, crops: AugmentedCrops, *, dropped: bool = False, generator: torch.Generator | None = None
) -> Surfaces:
    """Predictions for each crop, in the frame and on the pixels of the first.

    The network computes where it lies, what follows on the CPU. A crop's z axis is tilted against the first's by its
    small shift; that tilt is left out.

    Args:
        dropped: leave out random features, for another hypothesis.
    """
    pixels = crops.pixels.to(device_of(net))
    levels = net.encode(pixels)
    if dropped:
        assert generator is not None
        # One choice of features for all crops: they speak for the same hypothesis.
        levels[-1] = levels[-1] * net.kept_channels(generator).to(pixels)
    found: Surfaces = to_device(net.decode(levels, pixels), CPU)
    turned = crops.mirrored[:, None, None]
    maps = torch.cat(
        (found.front[:, None], found.back[:, None], found.scale, found.color, found.normal, found.hollow), 1
    )
    over = torch.ones(maps.shape[1])
    over[7] = -1.0  # a mirrored normal looks to the other side
    maps = torch.where(turned[..., None], maps.flip(-1) * over[:, None, None], maps)
    side = maps.shape[-1]
    steps = (torch.arange(side) + 0.5) * 2 / side - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    uv = (torch.stack((columns, rows), -1) - crops.shift[:, None, None]) / crops.zoom[:, None, None, None]
    placed = functional.grid_sample(maps, uv, mode="bilinear", padding_mode="border", align_corners=False)
    lengths = placed[:, :4] * crops.zoom[:, None, None, None]
    return replace(
        found,
        front=lengths[:, 0],
        back=lengths[:, 1],
        scale=lengths[:, 2:],
        color=placed[:, 4:7],
        normal=functional.normalize(placed[:, 7:10], dim=1),
        hollow=placed[:, 10:],
        mirror=torch.where(crops.mirrored[:, None], turned_over(found.mirror), found.mirror),
    )
