"""Renderings of the scene from the present poses, as colored points in space."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...camera import Camera
from ...render.chunks import slices
from ...render.ray_renderer import RayRenderer
from .frames import SMOOTHING, detailed, smoothed

SEEN = 0.5  # coverage from which a pixel shows a surface
BAND = 1.5  # pixels by which the outline is widened to background that must stay background
RAYS = 16384  # rendered at once
PROBE = 24  # pixels of the longer side of a picture that only asks for distances


@dataclass(frozen=True, eq=False)
class Reference:
    """Rendered pixels of b cameras as points of the world.

    Attributes:
        points: on the surface; beside an outline, at the depth of the surface next to it.
        colors: rendered, smoothed as the photo is.
        weights: 1 on the surface, less beside it, 0 elsewhere.
    """

    points: Float[Tensor, "b n 3"]
    colors: Float[Tensor, "b n 3"]
    weights: Float[Tensor, "b n"]

    def __getitem__(self, rows: slice | Tensor) -> Reference:
        """The reference of some of the cameras."""
        return Reference(self.points[rows], self.colors[rows], self.weights[rows])

    def compact(self) -> tuple[Reference, Int[Tensor, "b m"]]:
        """Only the points that count, as many of each camera as the one with most has; and which they are."""
        counted = self.weights > 0
        most = max(1, int(counted.sum(-1).max()))
        order = torch.argsort((~counted).byte(), dim=-1, stable=True)[:, :most]
        rows = torch.arange(len(order), device=order.device)[:, None]
        return Reference(self.points[rows, order], self.colors[rows, order], self.weights[rows, order]), order


@torch.no_grad()
def render_reference(
    renderer: RayRenderer, cameras: Camera, local: float = 0.0, *, generator: torch.Generator | None = None
) -> Reference:
    """Render whole small pictures from all cameras; `detailed` where `local` is above 0."""
    origins, directions = cameras.rays()
    seen = [
        renderer(origins.flatten(0, 1)[part], directions.flatten(0, 1)[part], generator=generator)
        for part in slices(origins.shape[0] * origins.shape[1], RAYS)
    ]
    shape = (len(cameras), cameras.height, cameras.width)
    rgb = torch.cat([one.rgb for one in seen]).reshape(*shape, 3)
    alpha = torch.cat([one.alpha for one in seen]).reshape(shape)
    distance = torch.cat([one.distance for one in seen]).reshape(shape)
    solid = (alpha > SEEN).to(distance)
    near = smoothed(solid, BAND)
    filled = smoothed(distance * solid, BAND) / near.clamp_min(1e-6)
    distance = torch.where(solid > 0, distance, filled)
    border = ((near > 0.01) & (solid == 0)).to(distance)
    colors = detailed(smoothed(rgb.movedim(-1, -3), SMOOTHING), local).movedim(-3, -1)
    return Reference(
        points=origins + distance.flatten(1)[..., None] * directions,
        colors=colors.flatten(1, 2),
        weights=(solid + 0.5 * border).flatten(1),
    )


@torch.no_grad()
def tells_distances(renderer: RayRenderer, camera: Camera) -> bool:
    """Whether a renderer says how far away what it shows is; True where it shows nothing."""
    longest = max(camera.width, camera.height)
    small = camera.resized(max(4, PROBE * camera.width // longest), max(4, PROBE * camera.height // longest))
    origins, directions = small.rays()
    seen = renderer(origins.flatten(0, 1), directions.flatten(0, 1))
    return bool((seen.distance > 0).any()) or not bool((seen.alpha > SEEN).any())


def at_poses(camera: Camera, poses: Float[Tensor, "b 4 4"]) -> Camera:
    """One camera's size and intrinsics at several poses."""
    return replace(camera, world_from_camera=poses, intrinsics=camera.intrinsics.expand(len(poses), 3, 3))
