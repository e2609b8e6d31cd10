"""The mesh itself: what it refuses, its normals, welding and transforms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, joined, star_solids, two_triangles

from monoform import InputError
from monoform.mesh import Mesh
from monoform.mesh.raycast import caster_of
from monoform.mesh.shading import corner_normals
from monoform.mesh.topology import volume


def test_wrong_arrays_are_refused_with_a_sentence() -> None:
    good, faces = np.zeros((3, 3)), np.array([[0, 1, 2]])
    with pytest.raises(InputError, match="not finite"):
        Mesh(np.full((3, 3), np.nan), faces)
    with pytest.raises(InputError, match="vertex 7 of 3"):
        Mesh(good, np.array([[0, 1, 7]]))
    with pytest.raises(InputError, match="damaged"):
        Mesh(good, np.array([[0, 1, -1]]))
    with pytest.raises(InputError, match="texture coordinates are not finite"):
        Mesh(good, faces, uv=np.full((3, 2), np.inf))


def test_normals_of_a_sphere_point_outwards() -> None:
    ball = icosphere()
    outwards = ball.vertices / np.linalg.norm(ball.vertices, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", ball.normals, outwards).min() > 0.999
    assert np.einsum("ij,ij->i", ball.face_normals, ball.triangles.mean(axis=1)).min() > 0


def test_normals_do_not_show_seams() -> None:
    ball = icosphere()
    corners = ball.triangles.reshape(-1, 3)
    exploded = Mesh(corners, np.arange(len(corners)).reshape(-1, 3))
    np.testing.assert_allclose(exploded.normals, ball.normals[ball.faces].reshape(-1, 3), atol=1e-12)


def test_shading_is_flat_on_boxes_and_smooth_on_balls() -> None:
    cube, ball = box(), icosphere()
    np.testing.assert_allclose(cube.corner_normals, np.repeat(cube.face_normals[:, None], 3, axis=1), atol=1e-12)
    np.testing.assert_allclose(ball.corner_normals, ball.normals[ball.faces], atol=1e-12)
    angular = corner_normals(ball.faces, ball.face_normals, ball.face_areas, crease=0.01)
    np.testing.assert_allclose(angular, np.repeat(ball.face_normals[:, None], 3, axis=1), atol=1e-12)


def test_shading_does_not_show_seams_or_order() -> None:
    ball = icosphere()
    corners = ball.triangles.reshape(-1, 3)
    exploded = Mesh(corners, np.arange(len(corners)).reshape(-1, 3))
    np.testing.assert_allclose(exploded.corner_normals, ball.corner_normals, atol=1e-12)


def test_merging_welds_copies_and_drops_collapsed_faces() -> None:
    ball = icosphere()
    corners = ball.triangles.reshape(-1, 3)
    exploded = Mesh(
        np.concatenate([corners, corners[:1]]),
        np.concatenate([np.arange(len(corners)).reshape(-1, 3), [[0, len(corners), 1]]]),
    )
    merged = exploded.merged()
    assert len(merged.vertices) == len(ball.vertices)
    assert len(merged.faces) == len(ball.faces)
    assert merged.merged() is merged


def test_zero_and_minus_zero_are_one_position() -> None:
    left = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    right = np.array([[-0.0, -0.0, 0], [0, 1, 0], [-1, 0, 0]])
    both = Mesh(np.concatenate([left, right]), np.array([[0, 1, 2], [3, 4, 5]]))
    assert len(both.merged().vertices) == 4


@given(star_solids(), st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([-2.0, 0.5, 1.0])] * 3))
def test_transforms_scale_the_volume_and_keep_the_outside_outside(mesh: Mesh, axes: list[int], scale: tuple) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(scale)[axes]
    matrix[:3, 3] = (1.0, -2.0, 3.0)
    expected = volume(mesh) * abs(np.prod(scale))
    assert volume(mesh.transformed(matrix)) == pytest.approx(expected, rel=1e-6)


def test_a_submesh_keeps_what_belongs_to_its_vertices() -> None:
    texture = np.zeros((4, 4, 3), np.uint8)
    mesh = Mesh(
        two_triangles().vertices,
        two_triangles().faces,
        uv=two_triangles().uv,
        texture=texture,
        vertex_colors=np.arange(12, dtype=np.uint8).reshape(4, 3),
        vertex_attributes={"heat": np.arange(4.0)},
    )
    part = mesh.submesh(np.array([1]))
    assert part.faces.tolist() == [[0, 1, 2]]
    assert part.vertex_attributes["heat"].tolist() == [0.0, 2.0, 3.0]
    assert part.uv is not None and part.uv.tolist() == [[0, 0], [1, 1], [0, 1]]
    assert part.vertex_colors is not None and part.vertex_colors[1].tolist() == [6, 7, 8]
    assert part.texture is texture


def test_a_mesh_that_was_drawn_can_be_pickled() -> None:
    ball = icosphere()
    hits = caster_of(ball).cast(np.array([[0.0, 0, 2]]), np.array([[0.0, 0, -1]]))
    again = pickle.loads(pickle.dumps(ball))
    np.testing.assert_array_equal(again.vertices, ball.vertices)
    assert caster_of(ball) is caster_of(ball) is not caster_of(again)
    assert hits.hit.all() and again.merged().vertices.shape == ball.vertices.shape


def test_bounds_ignore_unused_vertices() -> None:
    cube = box()
    stray = Mesh(np.concatenate([cube.vertices, [[9.0, 9, 9]]]), cube.faces)
    np.testing.assert_array_equal(stray.bounds, cube.bounds)
    np.testing.assert_array_equal(joined(cube, cube).bounds, cube.bounds)
