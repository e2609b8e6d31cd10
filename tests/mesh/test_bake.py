"""Colours on textures: from fields, photos and other meshes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, joined, moved, two_triangles

from monoform import InputError
from monoform.camera import Camera, look_at, orbit
from monoform.mesh import Mesh, bake, unwrap
from monoform.mesh.raster import cover
from monoform.mesh.texture import fill_gutters, surface_colors
from monoform.nn.analytic import Sphere
from monoform.render import render_mesh


def colors_of(mesh: Mesh, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Random surface points and their colours."""
    generator = np.random.default_rng(0)
    faces = generator.choice(len(mesh.faces), count, p=mesh.face_areas / mesh.face_areas.sum())
    weights = generator.dirichlet(np.ones(3), count)
    return np.einsum("nk,nkc->nc", weights, mesh.triangles[faces]), surface_colors(mesh, faces, weights)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_coverage_equals_a_test_of_every_texel(seed: int, width: int, height: int) -> None:
    triangles = np.random.default_rng(seed).uniform(-10, 50, (6, 3, 2))
    found = cover(triangles, width, height)
    rows, columns = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    centers = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    expected = set()
    for face, (a, b, c) in enumerate(triangles):
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        weights = np.linalg.solve(matrix, np.concatenate([centers, np.ones((len(centers), 1))], axis=1).T)
        expected |= {(int(texel), face) for texel in np.nonzero(weights.min(axis=0) >= 0)[0]}
    assert set(zip(found.texel.tolist(), found.face.tolist(), strict=True)) == expected
    places = np.einsum("nk,nkc->nc", found.barycentric, triangles[found.face])
    np.testing.assert_allclose(places, centers[found.texel], atol=1e-6)


def test_gutters_take_the_nearest_color() -> None:
    image = np.zeros((9, 9, 3), np.float32)
    painted = np.zeros((9, 9), bool)
    painted[1, 1], painted[7, 7] = True, True
    image[1, 1], image[7, 7] = (1, 0, 0), (0, 0, 1)
    filled = fill_gutters(image, painted)
    assert (filled[:4, :4] == [1, 0, 0]).all() and (filled[5:, 5:] == [0, 0, 1]).all()
    assert fill_gutters(image, np.zeros((9, 9), bool)) is image


@pytest.mark.parametrize("time_limit", [0.0, 30.0])
def test_a_field_s_colors_arrive_without_seams(time_limit: float) -> None:
    field = Sphere(0.4)
    mesh = bake.from_field(unwrap(icosphere(0.4, 4), resolution=256, time_limit=time_limit), field, 256)
    points, colors = colors_of(mesh)
    expected = field.values(torch.from_numpy(points).float()).numpy()
    assert np.abs(colors - expected).max() < 0.03  # an unpainted gutter would show as a difference of 0.5 and more


def test_a_mesh_without_coordinates_is_unwrapped_first() -> None:
    mesh = bake.from_field(icosphere(0.4, 1), Sphere(0.4), 64)
    assert mesh.uv is not None and mesh.texture is not None and mesh.texture.shape == (64, 64, 3)


def test_texels_need_coordinates_of_their_own() -> None:
    with pytest.raises(InputError, match="unwrap"):
        bake.texels(box(), 32)
    flat = two_triangles()
    assert flat.uv is not None
    with pytest.raises(InputError, match=r"leave 0\.\.1"):
        bake.texels(replace(flat, uv=flat.uv * 2), 32)


def test_colors_move_from_mesh_to_mesh() -> None:
    field = Sphere(0.4)
    source = bake.from_field(unwrap(icosphere(0.4, 4), resolution=256), field, 256)
    target = bake.from_mesh(icosphere(0.41, 2), source, 128)
    points, colors = colors_of(target)
    near = 0.4 * points / np.linalg.norm(points, axis=1, keepdims=True)
    assert np.abs(colors - field.values(torch.from_numpy(near).float()).numpy()).max() < 0.06


def test_the_two_sides_of_a_thin_plate_keep_their_colors() -> None:
    plate = box((1.0, 1.0, 0.01))
    colors = np.where(plate.vertices[:, 2:] > 0, [255, 0, 0], [0, 0, 255]).astype(np.uint8)
    source = Mesh(plate.vertices, plate.faces, vertex_colors=colors)
    target = bake.from_mesh(unwrap(moved(plate, (0, 0, 0.008)), resolution=128), source, 128)
    points, seen = colors_of(target)
    core = np.abs(points[:, :2]).max(axis=1) < 0.48
    upper = core & (points[:, 2] > 0.012)
    lower = core & (points[:, 2] < 0.004)
    assert (seen[upper] == [1, 0, 0]).all() and (seen[lower] == [0, 0, 1]).all()


def camera_at(x: float, y: float, z: float, size: int = 160) -> Camera:
    return Camera.from_fov(look_at(torch.tensor([[x, y, z]])), math.radians(40), size, size)


def photo_of(mesh: Mesh, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    render = render_mesh(mesh, camera, background=(0.0, 1.0, 0.0))
    return render.rgb, render.mask


@pytest.mark.parametrize("model", ["pinhole", "orthographic"])
def test_a_photo_is_painted_where_it_is_seen_and_nowhere_else(model: str) -> None:
    field = Sphere(0.4)
    original = bake.from_field(unwrap(icosphere(0.4, 4), resolution=256), field, 256)
    camera = camera_at(0.3, 0.5, 1.5)
    if model == "orthographic":
        camera = Camera.orthographic(camera.world_from_camera, 1.0, 160, 160)
    rgb, mask = photo_of(original, camera)
    base = np.full((256, 256, 3), (0, 255, 255), np.uint8)
    painted = bake.from_photo(replace(original, texture=None), rgb, mask, camera, base)
    points, colors = colors_of(painted)
    view = camera.position[0].numpy() - points
    if model == "orthographic":
        view = np.broadcast_to(-camera.world_from_camera[0, :3, 2].numpy(), points.shape)
    facing = np.einsum("ij,ij->i", points / 0.4, view / np.linalg.norm(view, axis=1, keepdims=True))
    expected = field.values(torch.from_numpy(points).float()).numpy()
    assert np.abs(colors - expected)[facing > 0.75].max() < 0.08
    np.testing.assert_allclose(colors[facing < 0.05], np.tile([0, 1, 1], ((facing < 0.05).sum(), 1)), atol=0.01)


def test_what_another_part_hides_is_not_painted() -> None:
    back, front = box((1.0, 1.0, 0.1)), moved(box((0.4, 0.4, 0.1)), (0, 0, 0.5))
    mesh = unwrap(joined(back, front), resolution=256)
    camera = camera_at(0.0, 0.0, 3.0)
    _, mask = photo_of(mesh, camera)
    red = np.tile(np.float32([1, 0, 0]), (160, 160, 1))
    painted = bake.from_photo(mesh, red, mask, camera, np.zeros((256, 256, 3), np.uint8))
    points, colors = colors_of(painted, 20_000)
    on_back_plate = np.abs(points[:, 2] - 0.05) < 1e-6
    shadow = np.abs(points[:, :2]).max(axis=1)
    assert (colors[on_back_plate & (shadow < 0.2)] == 0).all()
    open_part = on_back_plate & (shadow > 0.3) & (shadow < 0.45)
    np.testing.assert_allclose(colors[open_part], np.tile([1, 0, 0], (open_part.sum(), 1)), atol=0.01)


def test_the_background_never_bleeds_in() -> None:
    mesh = unwrap(icosphere(0.4, 3), resolution=128)
    camera = camera_at(0.0, 0.0, 1.5)
    plain = replace(mesh, texture=np.full((128, 128, 3), (200, 100, 50), np.uint8))
    rgb, mask = photo_of(plain, camera)
    painted = bake.from_photo(mesh, rgb, mask, camera)
    assert painted.texture is not None
    assert np.abs(painted.texture.astype(int) - [200, 100, 50]).max() <= 2


def test_hidden_texels_without_a_base_take_the_nearest_seen_color() -> None:
    mesh = unwrap(icosphere(0.4, 3), resolution=128)
    camera = camera_at(0.0, 0.0, 1.5)
    rgb = np.zeros((160, 160, 3), np.float32)
    rgb[:, :80], rgb[:, 80:] = (1, 0, 0), (0, 0, 1)
    painted = bake.from_photo(mesh, rgb, np.ones((160, 160), bool), camera)
    points, colors = colors_of(painted)
    behind = (points[:, 2] < -0.1) & (np.abs(points[:, 0]) > 0.1)
    assert (colors[behind & (points[:, 0] < 0)].argmax(axis=1) == 0).all()
    assert (colors[behind & (points[:, 0] > 0)].argmax(axis=1) == 2).all()


def test_the_mask_and_the_weights_are_respected() -> None:
    mesh = unwrap(icosphere(0.4, 3), resolution=128)
    camera = camera_at(0.0, 0.0, 1.5)
    rgb = np.ones((160, 160, 3), np.float32)
    half = np.zeros((160, 160), bool)
    half[:, :80] = True
    black = np.zeros((128, 128, 3), np.uint8)
    points, colors = colors_of(bake.from_photo(mesh, rgb, half, camera, black))
    assert colors[points[:, 0] > 0.03].max() == 0  # two texels from the border
    assert colors[(points[:, 0] < -0.05) & (points[:, 2] > 0.3)].min() > 0.98
    weights = bake.photo_weights(mesh, rgb, np.ones((160, 160), bool), camera, 128)
    assert weights.min() >= 0 and weights.max() == 1.0 and 0.1 < (weights > 0).mean() < 0.5


def test_the_resolution_of_the_new_texture_can_be_chosen() -> None:
    mesh = unwrap(icosphere(0.4, 2), resolution=64)
    camera = camera_at(0.0, 0.0, 1.5)
    rgb, mask = np.zeros((160, 160, 3), np.float32), np.ones((160, 160), bool)
    sides = []
    for base in (None, np.zeros((32, 32, 3), np.uint8)):
        for resolution in (None, 48):
            texture = bake.from_photo(mesh, rgb, mask, camera, base, resolution=resolution).texture
            sides.append(0 if texture is None else len(texture))
    assert sides == [1024, 48, 32, 48]


def test_a_photo_that_cannot_be_used_is_refused() -> None:
    mesh = unwrap(icosphere(0.4, 2), resolution=64)
    camera = camera_at(0.0, 0.0, 1.5)
    rgb, mask = np.zeros((160, 160, 3), np.float32), np.ones((160, 160), bool)
    with pytest.raises(InputError, match="differ in size"):
        bake.from_photo(mesh, rgb[:100], mask, camera)
    with pytest.raises(InputError, match="sees nothing"):
        bake.from_photo(mesh, rgb, ~mask, camera)
    with pytest.raises(InputError, match="not 3"):
        bake.from_photo(mesh, rgb, mask, orbit(3, elevation=0.0, distance=2.0, fov_y=0.7, width=160, height=160))
    with pytest.raises(InputError, match="unwrap"):
        bake.from_photo(icosphere(), rgb, mask, camera)
