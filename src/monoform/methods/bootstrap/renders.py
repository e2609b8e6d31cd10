"""Renders that the encoder learns from: cut out as photos are given, and kept where they are dear (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...data.categories.squares import grown, normalized_box, square_around, whole
from ...scene.silhouette import mask_box
from ...training.randomness import seed_for
from .cameras import camera_of
from .model import BootstrapGenerator
from .photo_square import margin_of
from .steps import Views

COARSER = 2
"""How many times smaller the render is that an object's box is found in."""
HALVED = ("images", "coordinates", "mask", "latent")


@dataclass(frozen=True, eq=False)
class Renders:
    """Renders of random objects, and what they were made of.

    Attributes:
        images: -1..1, on the generator's background.
        coordinates: composited places in the world.
        mask: opacity.
        latent: style of the object.
        views: from which they are seen.
        box: which part of the view each is, see `camera_of`; None: all of it.
    """

    images: Float[Tensor, "n 3 h w"]
    coordinates: Float[Tensor, "n h w 3"]
    mask: Float[Tensor, "n h w"]
    latent: Float[Tensor, "n d"]
    views: Views
    box: Float[Tensor, "n 2 2"] | None = None


class KeptRenders:
    """Renders by number, each made when it is first asked for, and kept in half precision.

    Args:
        make: one render of a seed.
        seed: of all of them.
    """

    def __init__(self, make: Callable[[int], Renders], seed: int) -> None:
        self._make, self._seed = make, seed
        self._kept: dict[int, Renders] = {}

    def __getitem__(self, numbers: Int[Tensor, " n"]) -> Renders:
        """Those of some numbers."""
        found = [self._one(number) for number in numbers.tolist()]
        images, coordinates, mask, latent = (
            torch.cat([getattr(each, name).float() for each in found]) for name in HALVED
        )
        views = [each.views for each in found]
        focals = [view.focal for view in views if view.focal is not None]
        poses = torch.cat([view.world_from_camera for view in views])
        return Renders(images, coordinates, mask, latent, Views(poses, torch.cat(focals) if focals else None))

    def _one(self, number: int) -> Renders:
        if number not in self._kept:
            made = self._make(seed_for(self._seed, "render", number))
            self._kept[number] = replace(made, **{name: getattr(made, name).half() for name in HALVED})
        return self._kept[number]


def object_boxes(
    net: BootstrapGenerator,
    ws: Float[Tensor, "n slots w"],
    views: Views,
    planes: Float[Tensor, "n 3 c s s"],
    draws: torch.Generator,
) -> Float[Tensor, "n 2 2"]:
    """The squares around objects in their views, with the margin of photos; all of the view where none is seen."""
    size = net.config.resolution
    small = max(size // COARSER, 1)
    cameras = camera_of(views.world_from_camera, views.focal, (small, small))
    alpha = net.render(ws, cameras, draws=draws, planes=planes).alpha.cpu().numpy()
    boxes = []
    for mask in alpha > 0.5:
        box = whole(size, size)
        if mask.any():
            x0, y0, x1, y1 = (edge * size / small for edge in mask_box(mask))
            box = grown((x0, y0, x1 - 1, y1 - 1), margin_of(net.config.scene))
        boxes.append(normalized_box(square_around(box), size, size))
    return torch.from_numpy(np.stack(boxes)).to(ws)
