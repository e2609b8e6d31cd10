"""A surface put together from what cameras see of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from monoform.camera import Camera, look_at
from monoform.mesh import extract, is_watertight
from monoform.render.ray_renderer import RayColors
from monoform.scene.fusion import fused

RADIUS, BOUNDS = 0.3, torch.tensor([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]])


def ball(origins: Tensor, directions: Tensor, *, generator: torch.Generator | None = None) -> RayColors:
    """A ball whose colour is where it is, on black."""
    del generator
    along = -(origins * directions).sum(-1)
    off = origins.square().sum(-1) - along.square()
    distance = along - (RADIUS**2 - off).clamp_min(0).sqrt()
    hit = (off < RADIUS**2).float()
    return RayColors((0.5 + origins + distance[:, None] * directions) * hit[:, None], hit, distance * hit)


def cameras(*eyes: tuple[float, float, float]) -> list[Camera]:
    return [Camera.from_fov(look_at(torch.tensor([eye])), torch.tensor([0.6]), 96, 80) for eye in eyes]


AROUND = cameras((2.0, 0.3, 0), (-2, 0.3, 0), (0.3, 2, 0), (0.3, -2, 0.1), (0, 0.3, 2), (0, 0.3, -2), (1, 1.2, 1))


def test_a_ball_is_put_together_with_its_colors() -> None:
    field = fused(ball, AROUND, BOUNDS, resolution=48)
    mesh = extract(field, resolution=48)
    assert is_watertight(mesh)
    distances = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(distances - RADIUS).max() < 1.5 / 48 and abs(distances.mean() - RADIUS) < 0.3 / 48
    points = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    torch.testing.assert_close(field.values(RADIUS * points), 0.5 + RADIUS * points, atol=0.06, rtol=0)
    upright = (field.normals(RADIUS * points) * points).sum(-1)
    assert upright.min() > 0.9 and upright.mean() > 0.98


def test_what_no_camera_sees_is_inside_and_what_one_sees_through_is_not() -> None:
    field = fused(ball, cameras((0, 0, 2.0)), BOUNDS, resolution=32)
    asked = torch.tensor([[0.0, 0, -0.4], [0, 0, 0.4], [0.4, 0.4, 0.4]])  # behind the ball, before it, beside it
    behind, before, beside = field.geometry(asked)
    assert behind < 0 < before and beside > 0
