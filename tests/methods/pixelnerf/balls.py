"""Balls in memory as a data set: every colour of every pixel is known."""

from __future__ import annotations

from pathlib import Path

import torch

from monoform.camera import orbit
from monoform.data.posed.objects import Place, PosedObject, PosedObjects
from monoform.methods.pixelnerf.config import Network, PixelNerfConfig, Sampling

RADIUS = 0.4
COLORS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.2, 0.9], [0.1, 0.8, 0.2]])
TINY = PixelNerfConfig(
    network=Network(backbone="resnet18", maps=2, width=24, blocks=3, pooled_block=2),
    sampling=Sampling(coarse=12, fine=6, depth=2),
)


class Balls(PosedObjects):
    """Balls of one colour each around the origin, before white, seen from around."""

    near, far = 0.8, 1.8

    def __init__(self, count: int = 3, views: int = 4, size: int = 16, category: str = "") -> None:
        self.views, self.size = views, size
        super().__init__([Place(Path(f"ball{number}"), f"ball{number}", category) for number in range(count)])

    def _image_files(self, place: Place) -> list[Path]:
        return [place.folder / f"{number}.png" for number in range(self.views)]

    def _read(self, place: Place, files: list[Path], views: list[int]) -> PosedObject:
        cameras = orbit(self.views, elevation=0.3, distance=1.3, fov_y=0.9, width=self.size, height=self.size)
        origins, directions = cameras.rays()
        hit = on_the_ball(origins, directions).reshape(self.views, self.size, self.size)
        images = torch.where(hit[..., None], COLORS[int(place.name[4:])], torch.ones(3))
        rows, columns = hit.any(2).nonzero()[:, 1], hit.any(1).nonzero()[:, 1]
        box = torch.stack((columns.min(), rows.min(), columns.max(), rows.max())).float()
        return PosedObject(
            name=place.name,
            category="",
            views=tuple(views),
            images=images[views],
            cameras=type(cameras)(cameras.world_from_camera[views], cameras.intrinsics[views], self.size, self.size),
            masks=hit[views].float(),
            boxes=box.expand(len(views), 4),
            near=self.near,
            far=self.far,
            background=1.0,
        )


def on_the_ball(origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Whether rays pass the origin within the radius."""
    along = -(origins * directions).sum(-1, keepdim=True)
    return (origins + along * directions).norm(dim=-1) < RADIUS


def mean_square_of_mean_color() -> float:
    """What the mean colour of each channel over all balls gets wrong: a bound that learning must pass."""
    images = torch.cat([ball.images.flatten(0, 2) for ball in Balls()])
    return float((images - images.mean(0)).square().mean())
