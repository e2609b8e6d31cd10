"""Training batches of pixelNeRF: source views, and rays with the colors that they see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...data.posed.objects import PosedObject
from .pixels import pixels_in_boxes


@dataclass(frozen=True, eq=False)
class RayBatch:
    """Source views of b objects, v each, and rays with their true colours.

    Attributes:
        images: sRGB 0..1.
        poses: of their cameras, the views of an object side by side.
        intrinsics: of their cameras.
        rays: origin, unit direction, near, far.
        colors: sRGB 0..1.
    """

    images: Float[Tensor, "b v h w 3"]
    poses: Float[Tensor, "n 4 4"]
    intrinsics: Float[Tensor, "n 3 3"]
    rays: Float[Tensor, "b r 8"]
    colors: Float[Tensor, "b r 3"]

    @property
    def cameras(self) -> Camera:
        """Cameras of the source views."""
        return Camera(self.poses, self.intrinsics, self.images.shape[3], self.images.shape[2])


def sample_rays(
    content: PosedObject,
    sources: Tensor,
    usable: Tensor,
    count: int,
    boxes: Float[Tensor, "v 4"] | None,
    generator: torch.Generator,
) -> RayBatch:
    """Source views of one object, and random rays with their colors: of a random view, within its box or anywhere."""
    height, width = content.images.shape[1:3]
    views = usable[torch.randint(len(usable), (count,), generator=generator)]
    x, y = torch.rand(2, count, generator=generator)
    whole = torch.tensor([0.0, 0.0, width - 1.0, height - 1.0]).expand(len(content), 4)
    indices = pixels_in_boxes(whole if boxes is None else boxes, views, x, y)
    _, rows, columns = indices.unbind(dim=1)
    cameras = content.cameras
    each = Camera(cameras.world_from_camera[views], cameras.intrinsics[views], width, height)
    origins, directions = each.rays(torch.stack((columns, rows), 1)[:, None] + 0.5)
    limits = torch.tensor([content.near, content.far]).expand(count, 2)
    return RayBatch(
        images=content.images[sources][None],
        poses=cameras.world_from_camera[sources],
        intrinsics=cameras.intrinsics[sources],
        rays=torch.cat((origins[:, 0], directions[:, 0], limits), dim=1)[None],
        colors=content.images[views, rows, columns][None],
    )


def stacked(parts: list[RayBatch]) -> RayBatch:
    """The parts of all objects of a step, with as many source views of one size each."""
    return RayBatch(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})
