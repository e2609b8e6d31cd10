"""Views of a ball somewhere in the world come out with the ball around the origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monoform import InputError, Photo, View
from monoform.camera import Camera, orbit
from monoform.render import ray_sphere
from monoform.scene.centered import RADIUS, ROOM, centered

SIZE = 128


def moved(camera: Camera, center: list[float], scale: float) -> Camera:
    pose = camera.world_from_camera.clone()
    pose[:, :3, 3] = pose[:, :3, 3] * scale + torch.tensor(center)
    return replace(camera, world_from_camera=pose)


def balls(count: int, *, radius: float = 0.3, center: list[float], scale: float) -> list[View]:
    views = []
    for camera in orbit(count, elevation=0.4, distance=1.3, fov_y=0.9, width=SIZE, height=SIZE):
        origins, directions = (values[0] for values in camera.rays())
        hit = ray_sphere(origins, directions, radius)[2].reshape(SIZE, SIZE).numpy().astype(np.float32)
        rgb = np.stack((hit, 0.5 * hit, 0.2 * hit), axis=-1)
        views.append(View(Photo.open(rgb, mask=hit), moved(camera, center, scale)))
    return views


@settings(max_examples=15, deadline=None)
@given(
    center=st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    scale=st.floats(0.01, 100),
    count=st.integers(3, 5),
)
def test_the_ball_is_found_wherever_it_is(center: list[float], scale: float, count: int) -> None:
    found = centered(balls(count, center=center, scale=scale))
    # Outlines run through pixel centres: half a pixel, 0.9 / 128 / 2 radians at distance 1.3, is lost of the radius.
    wanted = orbit(count, elevation=0.4, distance=1.3, fov_y=0.9, width=SIZE, height=SIZE)
    factor = RADIUS / (ROOM * 0.3)
    for view, camera in zip(found, wanted, strict=True):
        assert view.camera is not None
        assert torch.allclose(view.camera.position, camera.position * factor, atol=0.05)
        assert torch.allclose(view.camera.world_from_camera[:, :3, :3], camera.world_from_camera[:, :3, :3])


def test_what_tells_no_place_is_refused() -> None:
    views = balls(3, center=[0.0, 0.0, 0.0], scale=1.0)
    with pytest.raises(InputError, match="one direction"):
        centered([views[0], views[0]])
    with pytest.raises(InputError, match="lacks a camera"):
        centered([views[0], replace(views[1], camera=None)])
    turned = []
    for view in views:
        pose = view.camera.world_from_camera.clone()
        pose[:, :3, :3] = pose[:, :3, :3] @ torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
        turned.append(replace(view, camera=replace(view.camera, world_from_camera=pose)))
    with pytest.raises(InputError, match="behind the camera"):
        centered(turned)
