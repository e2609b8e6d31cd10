"""Fewer faces: the count that was asked for, still closed, the same shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, joined, moved, sponge, star_solids, torus

from monoform import InputError
from monoform.mesh import Mesh, closest_points, extract, is_watertight, report, simplify
from monoform.mesh.collapse import best_positions, collapse_edges, vertex_quadrics
from monoform.mesh.manifold import separate_touching_sheets, without_opposite_twins
from monoform.nn.analytic import Box, Sphere


@pytest.mark.parametrize("faces", [200, 1000, 5000])
def test_a_sphere_keeps_its_shape(faces: int) -> None:
    ball = extract(Sphere(0.4), resolution=80)
    result = simplify(ball, faces)
    assert abs(len(result.faces) - faces) <= max(2, faces // 100)
    measured = report(result)
    assert measured.watertight and measured.euler_number == 2
    assert measured.volume == pytest.approx(report(ball).volume, rel=6 / faces)
    outwards = result.triangles.mean(axis=1)
    assert (np.einsum("ij,ij->i", result.face_normals, outwards) > 0).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.5, 0.15, 0.04])
def test_sponges_stay_closed(seed: int, share: float) -> None:
    mesh = sponge(seed, smooth=1.0 + 0.3 * seed)
    faces = int(share * len(mesh.faces))
    result = simplify(mesh, faces)
    assert is_watertight(result)
    assert abs(len(result.faces) - faces) <= max(2, faces // 100)
    assert report(result).volume == pytest.approx(report(mesh).volume, rel=0.15)


def test_a_thin_plate_stays_closed() -> None:
    plate = extract(Box((0.4, 0.4, 0.008)), resolution=128)
    for faces in (3000, 500, 60):
        result = simplify(plate, faces)
        assert is_watertight(result)
        assert report(result).volume > 0
        assert abs(len(result.faces) - faces) <= max(2, faces // 100)


def test_a_small_mesh_is_returned_as_it_is() -> None:
    cube = box()
    assert simplify(cube, 12) is cube
    assert simplify(cube, 1000) is cube


def test_open_surfaces_work_and_stay_edge_manifold() -> None:
    ball = icosphere(subdivisions=4)
    half = ball.submesh(ball.triangles.mean(axis=1)[:, 1] > 0)
    result = simplify(half, 500)
    assert abs(len(result.faces) - 500) <= 5
    edges = np.sort(np.stack([result.faces, np.roll(result.faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    assert np.unique(edges, axis=0, return_counts=True)[1].max() <= 2


def test_colors_and_attributes_come_along() -> None:
    ball = icosphere(subdivisions=4)
    colors = np.where(ball.vertices[:, :1] > 0, [255, 0, 0], [0, 0, 255]).astype(np.uint8)
    mesh = Mesh(ball.vertices, ball.faces, vertex_colors=colors, vertex_attributes={"height": ball.vertices[:, 1]})
    result = simplify(mesh, 600)
    assert result.vertex_colors is not None
    right = result.vertices[:, 0] > 0.05
    assert (result.vertex_colors[right] == [255, 0, 0]).all()
    np.testing.assert_allclose(result.vertex_attributes["height"], result.vertices[:, 1], atol=0.05)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="3 faces"):
        simplify(box(), 3)
    with pytest.raises(InputError, match="no faces"):
        simplify(Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int64)), 10)


@settings(max_examples=25, deadline=None)
@given(star_solids(), st.integers(12, 400))
def test_random_solids_stay_closed_and_near(mesh: Mesh, faces: int) -> None:
    result = simplify(mesh, faces)
    measured = report(result)
    assert measured.watertight and measured.volume > 0
    size = np.linalg.norm(mesh.bounds[1] - mesh.bounds[0])
    assert closest_points(mesh, result.vertices).distance.max() < 0.35 * size
    if len(mesh.faces) > faces:
        assert abs(len(result.faces) - faces) <= max(2, faces // 100)


def test_two_boxes_that_share_an_edge_are_taken_apart() -> None:
    cube = box((1, 1, 1))
    both = joined(cube, moved(cube, (1, 1, 0))).merged()
    assert not is_watertight(both)
    apart = separate_touching_sheets(both)
    measured = report(apart)
    assert measured.watertight and measured.components == 2
    assert measured.volume == pytest.approx(2.0, rel=1e-3)


def test_two_boxes_that_share_a_corner_are_taken_apart() -> None:
    cube = box((1, 1, 1))
    both = joined(cube, moved(cube, (1, 1, 1))).merged()
    assert len(both.vertices) == 15
    assert report(separate_touching_sheets(both)).components == 2


def test_two_solids_that_touch_from_within_stay_one_solid() -> None:
    """A cube with a cubic hole that reaches one of its edges: the walls are paired around the solid."""
    outer, hole = box((2, 2, 2)), box((1, 1, 1))
    hole = moved(Mesh(hole.vertices, hole.faces[:, ::-1]), (0.25, 0.25, 0.0))
    measured = report(separate_touching_sheets(joined(outer, hole)))
    assert measured.watertight and measured.volume == pytest.approx(7.0, rel=1e-3)


def test_a_flap_of_two_opposite_faces_vanishes() -> None:
    cube = box()
    far = np.array([[3.0, 3, 3]])
    corner = len(cube.vertices)
    flap = np.array([[0, 1, corner], [1, 0, corner]])
    faces = without_opposite_twins(np.concatenate([cube.faces, flap]))
    assert sorted(map(tuple, faces.tolist())) == sorted(map(tuple, cube.faces.tolist()))
    assert report(separate_touching_sheets(Mesh(np.concatenate([cube.vertices, far]), faces))).watertight


def test_a_healthy_surface_is_not_changed() -> None:
    ring = torus()
    same = separate_touching_sheets(ring)
    assert report(same) == report(ring)
    np.testing.assert_array_equal(same.triangles, ring.triangles)


def test_single_collapses_keep_a_sphere_closed_and_round() -> None:
    ball = icosphere(subdivisions=4)
    result = collapse_edges(ball, 500)
    measured = report(result)
    assert measured.faces == 500 and measured.watertight and measured.euler_number == 2
    assert measured.volume == pytest.approx(report(ball).volume, rel=0.01)
    assert (np.einsum("ij,ij->i", result.face_normals, result.triangles.mean(axis=1)) > 0).all()


def test_single_collapses_keep_flat_faces_and_borders() -> None:
    side = np.arange(21) / 20
    x, y = np.meshgrid(side, side, indexing="ij")
    vertices = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    corner = (np.arange(20)[:, None] * 21 + np.arange(20)).reshape(-1)
    faces = np.concatenate(
        [np.stack([corner, corner + 21, corner + 22], 1), np.stack([corner, corner + 22, corner + 1], 1)]
    )
    result = collapse_edges(Mesh(vertices, faces), 10)
    assert len(result.faces) <= 10
    assert result.face_areas.sum() == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(result.bounds, [[0, 0, 0], [1, 1, 0]], atol=1e-6)


def test_many_small_parts_reach_the_count_that_was_asked_for() -> None:
    """Sheets with borders all over: the compiled simplifier stops far above."""
    strips = [moved(box((1.0, 0.02, 0.02)), (0, 0.05 * k, 0)).submesh(np.arange(2 + k % 9)) for k in range(60)]
    mesh = joined(icosphere(0.3, 2), *strips)
    result = simplify(mesh, 300)
    assert abs(len(result.faces) - 300) <= 3


def test_the_best_place_of_an_edge_is_where_its_planes_meet() -> None:
    cube = box((1, 1, 1))
    quadrics = vertex_quadrics(cube)
    costs, places = best_positions(cube.vertices, quadrics, np.array([[0, 1]]))
    for vertex in range(8):  # every corner lies on all its planes
        homogeneous = np.append(cube.vertices[vertex], 1.0)
        assert homogeneous @ quadrics[vertex] @ homogeneous == pytest.approx(0.0, abs=1e-12)
    assert costs[0] > 0 and np.abs(places[0]).max() <= 0.5 + 1e-9
