"""The z-buffer against rays, which find the same surface another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from tests.mesh.mesh_shapes import box, icosphere, moved

from monoform.camera import Camera, look_at
from monoform.mesh import Mesh, RayCaster
from monoform.mesh.raster import spans
from monoform.render import render_mesh
from monoform.render.mesh import lit_picture
from monoform.render.visible import visible

SIZE = (60, 44)


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def turned(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


def open_bowl() -> Mesh:
    ball = icosphere(0.5, 3)
    return ball.submesh(ball.triangles.mean(axis=1)[:, 2] < 0.1)


SCENES = {
    "a ball": icosphere(0.5, 3),
    "a ball inside out": turned(icosphere(0.5, 3)),
    "an open bowl": open_bowl(),
    "one of two parts inside out": joined(box((0.3, 0.4, 0.2)), moved(turned(icosphere(0.2, 2)), (0.4, 0.1, 0.0))),
    "a large triangle": Mesh(np.array([[-9.0, -9, -0.3], [9, -9, 0.2], [0, 12, 0.1]]), np.array([[0, 1, 2]])),
}


@pytest.mark.parametrize("mesh", SCENES.values(), ids=SCENES.keys())
@pytest.mark.parametrize("model", ["pinhole", "orthographic"])
def test_the_surface_is_that_which_rays_meet_first(mesh: Mesh, model: str) -> None:
    pose = look_at(torch.tensor([[0.7, 0.5, 1.9]]))
    camera = Camera.from_fov(pose, 0.6, *SIZE) if model == "pinhole" else Camera.orthographic(pose, 1.1, *SIZE)
    camera = camera.to(torch.float64)
    seen = visible(mesh, camera)
    origins, directions = (values[0].numpy() for values in camera.rays())
    hits = RayCaster(mesh).cast(origins, directions)
    depth = hits.t * (directions @ camera.world_from_camera[0, :3, 2].numpy())
    pixel = seen.rows * camera.width + seen.columns
    assert len(np.unique(pixel)) == len(pixel)
    assert len(np.setxor1d(pixel, np.flatnonzero(hits.hit))) <= 1  # one through an edge, perhaps
    both = np.isin(pixel, np.flatnonzero(hits.hit))
    np.testing.assert_allclose(seen.depth[both], depth[pixel[both]], atol=1e-5)
    corners = np.ascontiguousarray(mesh.triangles.transpose(2, 1, 0), dtype=np.float32)
    points = (origins + hits.t[:, None] * directions)[pixel[both]]
    np.testing.assert_allclose(seen.interpolated(corners).T[both], points, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_centers_in_a_tiled_square_belong_to_its_triangles(seed: int) -> None:
    """No gaps, also where corners fall on centers, and no doubles where they do not."""
    generator = np.random.default_rng(seed)
    inner = generator.uniform(0, 20, (30, 2))
    inner[:15] = np.floor(inner[:15]) + 0.5
    points = np.concatenate([inner, [[0, 0], [20, 0], [0, 20], [20, 20]]])
    triangles = points[Delaunay(points).simplices]
    found = spans(triangles[..., 0].T, triangles[..., 1].T, 20, 20)
    texels = np.repeat(found.row * 20 + found.start, found.count) + found.steps()
    times = np.bincount(texels, minlength=400).reshape(20, 20)
    rows, columns = np.indices((20, 20)) + 0.5
    centers = np.stack([columns, rows], axis=-1)
    one, two, three = triangles.transpose(1, 0, 2)
    on_a_side = np.zeros((20, 20), bool)
    for start, end in ((one, two), (two, three), (three, one)):
        along = end - start
        offset = centers[:, :, None] - start
        across = along[:, 0] * offset[..., 1] - along[:, 1] * offset[..., 0]
        on_a_side |= (np.abs(across) < 1e-6 * np.linalg.norm(along, axis=1)).any(axis=2)
    assert (times >= 1).all()
    assert (times[~on_a_side] == 1).all()


def test_lit_pictures_are_those_of_render_mesh() -> None:
    ball = icosphere(0.4, 3)
    texture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    uv = ball.vertices[:, :2] * 3.0  # repeats
    mesh = Mesh(ball.vertices, ball.faces, uv=uv, texture=texture)
    camera = Camera.from_fov(look_at(torch.tensor([[0.3, 0.4, 2.0]])), math.radians(30), *SIZE)
    for samples in (1, 2):
        expected = render_mesh(mesh, camera, shading="lit", samples=samples).rgb
        np.testing.assert_allclose(lit_picture(mesh, camera, samples=samples), expected, atol=1e-6)


def test_many_more_faces_than_pixels_look_the_same() -> None:
    """Then rays are cast, which must give the same picture as the z-buffer of a larger one."""
    ball = icosphere(0.5, 5)
    camera = Camera.from_fov(look_at(torch.tensor([[0.0, 0.6, 2.0]])), 0.6, 20, 20)
    few, many = (render_mesh(ball, each, shading="shaded") for each in (camera, camera.resized(300, 300)))
    center = many.rgb[7::15, 7::15]
    assert (few.mask == many.mask[7::15, 7::15]).all()
    np.testing.assert_allclose(few.rgb, center, atol=1e-3)
