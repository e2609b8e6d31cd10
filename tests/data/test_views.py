from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import data_shapes as shapes

from monoform.camera import Camera
from monoform.data import ViewOptions, procedural_object, random_cameras, render_views
from monoform.data.objects.solids import box, painted
from monoform.mesh import Mesh

SMALL = ViewOptions(count=4, size=48)


def cameras(mesh: Mesh, seed: int, **changes: object) -> Camera:
    return random_cameras(mesh, replace(SMALL, **changes), generator=np.random.default_rng(seed))


def pixels(mesh: Mesh, camera: Camera) -> np.ndarray:
    points = torch.from_numpy(mesh.vertices).float()[None].expand(len(camera), -1, -1)
    return camera.project(points)[0].numpy()


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_object_is_whole_and_fills_the_picture(seed: int) -> None:
    mesh = procedural_object(generator=np.random.default_rng(seed))
    margin = (0.05, 0.2)
    for view in pixels(mesh, cameras(mesh, seed, margin=margin)) / SMALL.size:
        assert view.min() > -0.01 and view.max() < 1.01
        assert 1 - 2 * margin[1] - 0.06 < np.ptp(view, axis=0).max() < 1 - 2 * margin[0] + 0.03


def test_elevation_and_field_of_view_keep_their_ranges() -> None:
    mesh = shapes.ball(subdivisions=2)
    level = (math.radians(20), math.radians(25))
    camera = cameras(mesh, 0, count=40, elevation=level, rare=0.0, roll=0.0, margin=(0.1, 0.1))
    downwards = -camera.world_from_camera[:, 1, 2]
    elevation = torch.asin(downwards)
    assert elevation.min() > level[0] - 1e-4 and elevation.max() < level[1] + 1e-4
    assert camera.fov_y.min() > SMALL.field_of_view[0] - 1e-4 and camera.fov_y.max() < SMALL.field_of_view[1] + 1e-4
    assert camera.world_from_camera[:, 1, 0].abs().max() < 1e-6  # without roll the image's x axis is level
    azimuth = torch.atan2(-camera.world_from_camera[:, 0, 2], -camera.world_from_camera[:, 2, 2])
    assert (np.histogram(azimuth.numpy(), bins=8, range=(-math.pi, math.pi))[0] >= 3).all()


def test_roll_tilts_the_horizon() -> None:
    mesh = shapes.ball(subdivisions=2)
    tilt = cameras(mesh, 0, count=200, roll=0.1, rare=0.0, elevation=(0.0, 0.0)).world_from_camera[:, 1, 0].asin()
    assert 0.08 < tilt.std() < 0.12


def test_rare_views_come_from_further_up_and_down() -> None:
    mesh = shapes.ball(subdivisions=2)
    down = -cameras(mesh, 0, count=100, rare=1.0, elevation=(0.0, 0.01)).world_from_camera[:, 1, 2]
    assert down.min() < 0 and down.max() > math.sin(math.radians(50))


def test_depth_normals_and_coverage_of_a_ball() -> None:
    mesh = shapes.ball()
    views = render_views(mesh, replace(SMALL, count=3, samples=2), generator=np.random.default_rng(0))
    for image, depth, normals, camera in zip(views.images, views.depth, views.normals, views.cameras, strict=True):
        solid = torch.from_numpy(image[..., 3] == 255)
        centers = camera.pixel_centers().reshape(1, 48, 48, 2)[:, solid]
        there = torch.from_numpy(depth.astype(np.float32))[solid]
        points = camera.unproject(centers, there[None])[0]
        # The mean over a pixel and half precision: a few thousandths.
        assert (points.norm(dim=1) - 0.5).abs().median() < 0.002
        outwards = points @ camera.world_from_camera[0, :3, :3]
        found = torch.from_numpy(normals.astype(np.float32))[solid] / 127
        assert (found.norm(dim=1) - 1).abs().max() < 0.02
        assert torch.nn.functional.cosine_similarity(found, outwards, dim=1).median() > 0.99
        assert (found[:, 2] < 0.3).all()
        empty = image[..., 3] == 0
        assert np.isinf(depth[empty]).all() and not image[empty].any() and not normals[empty].any()


def test_plain_light_and_no_jitter_give_the_surface_color() -> None:
    mesh = painted(box((0.5, 0.5, 0.5)), np.array([0.8, 0.4, 0.2]))
    plain = replace(SMALL, unlit=1.0, jitter=0.0)
    seen = render_views(mesh, plain, generator=np.random.default_rng(0)).images
    assert (seen[seen[..., 3] > 0][:, :3] == (204, 102, 51)).all()
    lit = render_views(mesh, replace(plain, unlit=0.0), generator=np.random.default_rng(0)).images
    assert len(np.unique(lit[seen[..., 3] == 255][:, 0])) > 4
    jittered = render_views(mesh, replace(plain, jitter=0.3), generator=np.random.default_rng(0)).images
    assert not np.array_equal(jittered, seen)


def test_the_seed_decides() -> None:
    mesh = procedural_object("cup", generator=np.random.default_rng(0))
    first, again, other = (render_views(mesh, SMALL, generator=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.images, again.images) and np.array_equal(first.depth, again.depth)
    assert not np.array_equal(first.images, other.images)
