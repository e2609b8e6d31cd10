"""Parts, holes, volume and closedness of shapes whose answers are known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from tests.mesh.mesh_shapes import box, icosphere, joined, moved, sponge, star_solids, torus

from monoform import InputError
from monoform.mesh import Mesh, components, is_watertight, largest, report, unwrap


def test_report_of_a_box() -> None:
    measured = report(box((1.0, 0.6, 0.4)))
    assert measured.watertight and measured.components == 1
    assert (measured.faces, measured.vertices, measured.euler_number) == (12, 8, 2)
    assert measured.volume == pytest.approx(0.24)
    assert measured.area == pytest.approx(2 * (0.6 + 0.4 + 0.24))
    assert measured.bounds == ((-0.5, -0.3, -0.2), (0.5, 0.3, 0.2))
    assert json.loads(json.dumps(measured.to_dict()))["bounds"] == [[-0.5, -0.3, -0.2], [0.5, 0.3, 0.2]]


def test_euler_numbers_add_up() -> None:
    assert report(icosphere()).euler_number == 2
    assert report(torus()).euler_number == 0
    assert report(joined(torus(), moved(icosphere(0.1), (2, 0, 0)))).euler_number == 2


def test_a_missing_face_opens_and_a_turned_face_breaks_the_surface() -> None:
    ball = icosphere()
    assert is_watertight(ball)
    assert not is_watertight(Mesh(ball.vertices, ball.faces[1:]))
    turned = ball.faces.copy()
    turned[0] = turned[0, ::-1]
    assert not is_watertight(Mesh(ball.vertices, turned))
    assert not is_watertight(Mesh(ball.vertices, np.concatenate([ball.faces, ball.faces])))
    assert not is_watertight(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def test_seams_neither_open_nor_divide() -> None:
    mesh = unwrap(torus(), resolution=128, time_limit=0)
    assert len(mesh.vertices) > len(torus().vertices)
    assert report(mesh) == report(torus())
    assert len(components(mesh)) == 1


@settings(max_examples=30, deadline=None)
@given(star_solids())
def test_star_solids_are_closed_with_positive_volume(mesh: Mesh) -> None:
    measured = report(mesh)
    assert measured.watertight and measured.components == 1 and measured.euler_number == 2
    assert measured.volume > 0
    assert measured.volume == pytest.approx(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume, rel=1e-6)
    assert report(Mesh(mesh.vertices, mesh.faces[:, ::-1])).volume == pytest.approx(-measured.volume, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(star_solids())
def test_report_does_not_depend_on_order_or_copies(mesh: Mesh) -> None:
    generator = np.random.default_rng(0)
    order = generator.permutation(len(mesh.faces))
    corners = mesh.triangles[order].reshape(-1, 3)
    shuffled = Mesh(corners, np.arange(len(corners)).reshape(-1, 3))
    ours, theirs = report(mesh), report(shuffled)
    assert (ours.faces, ours.vertices, ours.euler_number) == (theirs.faces, theirs.vertices, theirs.euler_number)
    assert ours.volume == pytest.approx(theirs.volume, rel=1e-9)


def test_parts_are_separated_and_ordered_by_area() -> None:
    small, large, middle = icosphere(0.1), moved(icosphere(0.5), (2, 0, 0)), moved(torus(), (-2, 0, 0))
    parts = components(joined(small, large, middle))
    assert [len(part.faces) for part in parts] == [len(large.faces), len(middle.faces), len(small.faces)]
    assert sum(part.face_areas.sum() for part in parts) == pytest.approx(
        small.face_areas.sum() + large.face_areas.sum() + middle.face_areas.sum()
    )


def test_largest_keeps_by_number_and_share() -> None:
    both = joined(icosphere(0.1), moved(icosphere(0.5), (2, 0, 0)), moved(icosphere(0.4), (-2, 0, 0)))
    assert report(largest(both)).volume == pytest.approx(4 / 3 * math.pi * 0.125, rel=0.05)
    assert report(largest(both, n=2)).components == 2
    assert report(largest(both, n=3)).components == 3
    assert report(largest(both, n=3, min_share=0.5)).components == 2
    with pytest.raises(InputError, match="n=0"):
        largest(both, n=0)
    with pytest.raises(InputError, match="no faces"):
        largest(Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)))


def test_component_count_agrees_with_another_implementation() -> None:
    mesh = sponge(3)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert report(mesh).components == solid.body_count
    assert report(mesh).watertight == solid.is_watertight
    assert report(mesh).euler_number == solid.euler_number
