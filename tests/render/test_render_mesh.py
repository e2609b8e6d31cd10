"""Pictures of meshes against what geometry says they must show."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, moved, two_triangles

from monoform import InputError
from monoform.camera import Camera, look_at, orbit
from monoform.mesh import Mesh
from monoform.render import render_mesh


def camera_at(eye: tuple[float, float, float], size: tuple[int, int] = (120, 90), fov: float = 0.8) -> Camera:
    return Camera.from_fov(look_at(torch.tensor([eye])), fov, *size)


def orthographic_at(eye: tuple[float, float, float], height: float = 1.2) -> Camera:
    return Camera.orthographic(look_at(torch.tensor([eye])), height, 120, 90)


@pytest.mark.parametrize("eye", [(0.0, 0.0, 3.0), (2.0, 1.0, -1.5)])
def test_a_ball_s_silhouette_and_depth(eye: tuple[float, float, float]) -> None:
    camera = camera_at(eye)
    render = render_mesh(icosphere(0.5, 5), camera)
    origins, directions = (values[0].double().numpy() for values in camera.rays())
    along = -np.einsum("ij,ij->i", origins, directions)
    gap = np.einsum("ij,ij->i", origins, origins) - along**2
    inside = (gap < 0.5**2).reshape(90, 120)
    assert (render.mask != inside).mean() < 0.003
    forward = camera.world_from_camera[0, :3, 2].double().numpy()
    exact = (along - np.sqrt(np.maximum(0.25 - gap, 0))) * (directions @ forward)
    core = (gap < 0.9 * 0.25).reshape(90, 120)
    np.testing.assert_allclose(render.depth[core], exact.reshape(90, 120)[core], atol=2e-3)
    assert np.isinf(render.depth[~render.mask]).all()
    assert (render.rgb[~render.mask] == 1).all() and (render.normal[~render.mask] == 0).all()


def test_world_normals_of_a_ball() -> None:
    camera = orthographic_at((1.0, 2.0, 2.0))
    render = render_mesh(icosphere(0.5, 4), camera)
    rows, columns = np.nonzero(render.mask)
    pixels = torch.tensor(np.stack([columns, rows], axis=1)[None] + 0.5).float()
    points = camera.unproject(pixels, torch.tensor(render.depth[render.mask])[None])[0].numpy()
    np.testing.assert_allclose(render.normal[render.mask], points / 0.5, atol=0.03)


@pytest.mark.parametrize("make", [camera_at, orthographic_at])
def test_depth_unprojects_onto_the_mesh(make: type) -> None:
    camera = make((1.2, 0.8, 1.6))
    render = render_mesh(box((0.6, 0.5, 0.4)), camera)
    rows, columns = np.nonzero(render.mask)
    pixels = torch.tensor(np.stack([columns, rows], axis=1)[None] + 0.5).float()
    points = camera.unproject(pixels, torch.tensor(render.depth[render.mask])[None])[0].numpy()
    distance = np.abs(points) - np.array([0.3, 0.25, 0.2])
    np.testing.assert_allclose(distance.max(axis=1), 0, atol=1e-5)


def checker() -> np.ndarray:
    """Four colours: top left red, top right green, bottom left blue, bottom right white."""
    texture = np.zeros((16, 16, 3), np.uint8)
    texture[:8, :8], texture[:8, 8:], texture[8:, :8], texture[8:, 8:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 255
    return texture


def test_the_texture_is_the_right_way_up() -> None:
    square = moved_square(checker())
    rgb = render_mesh(square, orthographic_at((0.0, 0.0, 2.0), height=1.0)).rgb
    assert rgb[20, 40].tolist() == [1, 0, 0] and rgb[20, 80].tolist() == [0, 1, 0]
    assert rgb[70, 40].tolist() == [0, 0, 1] and rgb[70, 80].tolist() == [1, 1, 1]


def moved_square(texture: np.ndarray) -> Mesh:
    mesh = two_triangles(texture)
    return Mesh(mesh.vertices - np.array([0.5, 0.5, 0]), mesh.faces, uv=mesh.uv, texture=texture)


def test_texture_look_up_is_bilinear() -> None:
    ramp = np.zeros((2, 2, 3), np.uint8)
    ramp[:, 1] = 255
    rgb = render_mesh(moved_square(ramp), orthographic_at((0.0, 0.0, 2.0), height=1.0)).rgb[45, 15:105, 0]
    u = (np.arange(90) + 0.5) / 90
    expected = np.interp(u * 2 - 0.5, [-0.5, 0, 1, 1.5], [0.5, 0, 1, 0.5])  # textures repeat
    np.testing.assert_allclose(rgb, expected, atol=0.03)


def test_shadings_say_what_they_say() -> None:
    camera = orthographic_at((0.0, 0.0, 2.0), height=1.2)
    ball = icosphere(0.5, 4)
    colored = Mesh(ball.vertices, ball.faces, vertex_colors=np.tile(np.uint8([255, 0, 0]), (len(ball.vertices), 1)))
    center, edge = (45, 60), (45, 60 + 36)
    texture = render_mesh(colored, camera).rgb
    assert texture[center].tolist() == [1, 0, 0] and texture[edge].tolist() == [1, 0, 0]
    lit = render_mesh(colored, camera, shading="lit").rgb
    assert lit[center][0] > 0.99 and 0.2 < lit[edge][0] < 0.7 and lit[edge][1] == 0
    shaded = render_mesh(colored, camera, shading="shaded").rgb
    assert shaded[center][0] == shaded[center][2] > shaded[edge][0] == shaded[edge][2]
    normal = render_mesh(colored, camera, shading="normal").rgb
    np.testing.assert_allclose(normal[center], [0.5, 0.5, 1.0], atol=0.03)
    assert normal[edge][0] > 0.9 and normal[45 - 36, 60][1] > 0.9
    depth = render_mesh(colored, camera, shading="depth").rgb
    assert depth[center][0] > 0.95 > depth[edge][0] > 0.1
    silhouette = render_mesh(colored, camera, shading="silhouette", background=(0.2, 0.4, 0.6)).rgb
    assert silhouette[center].tolist() == [0, 0, 0]
    np.testing.assert_allclose(silhouette[0, 0], [0.2, 0.4, 0.6])
    assert render_mesh(ball, camera).rgb[center] == pytest.approx([0.8] * 3)


def test_more_samples_smooth_the_outline_and_keep_its_area() -> None:
    camera = orthographic_at((0.0, 0.0, 2.0), height=1.2)
    ball = icosphere(0.5, 5)
    fine = render_mesh(ball, camera, samples=4)
    assert fine.rgb.shape == (90, 120, 3)
    assert ((fine.alpha > 0) & (fine.alpha < 1)).sum() > 100
    assert fine.alpha.sum() == pytest.approx(math.pi * 37.5**2, rel=2e-3)
    assert (fine.mask == (fine.alpha >= 0.5)).all()
    assert np.isfinite(fine.depth[fine.mask]).all()
    np.testing.assert_allclose(np.linalg.norm(fine.normal[fine.mask], axis=-1), 1.0, atol=1e-5)
    core = fine.alpha == 1
    np.testing.assert_allclose(fine.depth[core], render_mesh(ball, camera).depth[core], atol=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_what_lies_outside_the_window_is_never_lost(seed: int) -> None:
    """The mesh may be partly outside the image or around the camera: all rays agree with a cast of every pixel."""
    generator = np.random.default_rng(seed)
    eye = generator.normal(size=(1, 3)) * generator.choice([0.3, 1.0, 2.0])
    target = generator.normal(size=(1, 3)) * 0.5
    pose = look_at(torch.tensor(eye).float(), torch.tensor(target).float())
    camera = Camera.from_fov(pose, float(generator.uniform(0.3, 2.0)), 40, 30)
    mesh = moved(icosphere(0.5, 2), tuple(generator.normal(size=3) * 0.3))
    render = render_mesh(mesh, camera)
    from monoform.mesh import RayCaster

    origins, directions = (values[0].numpy() for values in camera.to(torch.float64).rays())
    np.testing.assert_array_equal(render.mask.reshape(-1), RayCaster(mesh).cast(origins, directions).hit)


def test_the_room_behind_the_camera_stays_dark() -> None:
    render = render_mesh(moved(icosphere(), (0, 0, 5.0)), camera_at((0.0, 0.0, 2.0)))
    assert not render.mask.any()
    empty = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    assert not render_mesh(empty, camera_at((0.0, 0.0, 2.0))).mask.any()


def test_options_out_of_range_are_refused() -> None:
    camera = camera_at((0.0, 0.0, 2.0))
    with pytest.raises(InputError, match="samples is 0"):
        render_mesh(box(), camera, samples=0)
    with pytest.raises(InputError, match="not 2"):
        render_mesh(box(), orbit(2, elevation=0.0, distance=2.0, fov_y=0.8, width=8, height=8))


def test_a_turntable_takes_little_time() -> None:
    ball = icosphere(0.45, 5)
    assert len(ball.faces) > 20_000
    mesh = Mesh(ball.vertices, ball.faces, uv=ball.vertices[:, :2] + 0.5, texture=np.zeros((1024, 1024, 3), np.uint8))
    cameras = orbit(10, elevation=0.3, distance=1.6, fov_y=0.8, width=384, height=384)
    render_mesh(mesh, cameras[0])
    started = time.process_time()
    for camera in cameras:
        render_mesh(mesh, camera)
    assert time.process_time() - started < 10 * 0.5  # processor time; about 0.04 s a frame is usual
