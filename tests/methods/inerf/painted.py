"""A painted box of known shape, seen by a camera of known pose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar, Literal

import torch
from torch import Tensor

from monoform.camera import Camera, look_at
from monoform.methods.inerf import random_starts
from monoform.nn import Field
from monoform.nn.analytic import Box
from monoform.render import RaySampling
from monoform.render.ray_renderer import FieldRenderer


@dataclass(frozen=True)
class PaintedBox(Field):
    """A box whose colours are waves, so that no two of its sides look alike."""

    phase: float = 0.0
    kind: ClassVar[Literal["sdf"]] = "sdf"
    representative_direction: ClassVar[None] = None
    box: ClassVar[Box] = Box((0.3, 0.22, 0.26))

    @property
    def bounds(self) -> Tensor:
        return self.box.bounds

    def geometry(self, points: Tensor) -> Tensor:
        return self.box.geometry(points)

    def values(self, points: Tensor, directions: Tensor | None = None) -> Tensor:
        x, y, z = (points + self.phase).unbind(-1)
        red = 0.5 + 0.25 * torch.sin(9 * x + 4 * y) + 0.2 * torch.sin(31 * z)
        return torch.stack((red, 0.5 + 0.3 * torch.cos(13 * y - 7 * z), 0.4 + 0.3 * torch.sin(17 * z + 5 * x)), dim=-1)


SAMPLING = RaySampling(coarse=24, fine=12, beta=0.004)
RENDERER = FieldRenderer(PaintedBox(), SAMPLING)
TRUE_POSE = look_at(torch.tensor([[0.8, 0.6, 1.2]]))
CAMERA = Camera.from_fov(TRUE_POSE, 0.7, 120, 90)


@cache
def photo(phase: float = 0.0) -> Tensor:
    """The box as `CAMERA` sees it, (90, 120, 3)."""
    return picture(FieldRenderer(PaintedBox(phase), SAMPLING), CAMERA)


def picture(renderer: FieldRenderer, camera: Camera) -> Tensor:
    origins, directions = (rays[0] for rays in camera.rays())
    with torch.no_grad():
        return renderer(origins, directions).rgb.reshape(camera.height, camera.width, 3)


def starts(count: int, degrees: float, *, seed: int = 0) -> Tensor:
    """Poses around the true one."""
    generator = torch.Generator().manual_seed(seed)
    angle = math.radians(degrees)
    return random_starts(TRUE_POSE[0], count, largest_angle=angle, largest_offset=0.08, generator=generator)


def at(pose: Tensor) -> Camera:
    """`CAMERA` at another pose."""
    return replace(CAMERA, world_from_camera=pose[None])
