"""Solids for printing: sizes, volumes of known shapes, closedness, colors."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import trimesh
from tests.mesh.mesh_shapes import box, icosphere, joined, moved
from tests.mesh.test_mesh_formats import colored, textured

from monoform import InputError
from monoform.jobs.exports import ExportOptions, PrintOptions, printable_solid
from monoform.mesh import Mesh, is_watertight
from monoform.mesh.texture import vertex_colors

BALL = 4 / 3 * math.pi


def solid_of(mesh: Mesh) -> trimesh.Trimesh:
    merged = mesh.merged()
    solid = trimesh.Trimesh(merged.vertices, merged.faces, process=False)
    assert solid.is_volume
    return solid


def test_the_size_is_that_of_the_largest_extent_and_up_is_z():
    made = printable_solid(box((1.0, 0.6, 0.4)), PrintOptions(size=(50.0,)))
    np.testing.assert_allclose(made.told["size_mm"], (50, 20, 30), rtol=1e-9)  # x, depth, height
    assert made.told["volume_cm3"] == pytest.approx(30.0) and made.told["material_cm3"] == pytest.approx(30.0)
    assert made.told["area_cm2"] == pytest.approx(2 * (10 + 15 + 6))


def test_three_sizes_are_those_of_three_axes():
    made = printable_solid(icosphere(), PrintOptions(size=(10.0, 20.0, 30.0)))
    np.testing.assert_allclose(made.told["size_mm"], (10, 20, 30), rtol=1e-9)
    assert is_watertight(made.mesh)


def test_on_the_ground_its_lowest_point_is_at_zero():
    mesh = moved(box(), (3.0, -2.0, 5.0))
    low, high = printable_solid(mesh, PrintOptions(size=(10.0,), on_ground=True)).mesh.bounds
    np.testing.assert_allclose(low, -high * (1, 1, 0), atol=1e-9)
    assert printable_solid(mesh, PrintOptions(size=(10.0,))).mesh.bounds[0, 2] == pytest.approx(10 * -2.3)


def test_the_stable_side_of_a_plank_is_its_largest():
    made = printable_solid(box((0.2, 1.0, 0.5)), PrintOptions(size=(100.0,), stand="stable", on_ground=True))
    assert made.told["size_mm"][2] == pytest.approx(20.0)
    upright = printable_solid(box((0.2, 1.0, 0.5)), PrintOptions(size=(100.0,)))
    assert upright.told["size_mm"][2] == pytest.approx(100.0)


def test_a_flat_base_is_a_plane_and_the_size_is_that_of_the_rest():
    made = printable_solid(icosphere(subdivisions=4), PrintOptions(size=(40.0,), flat_base=4.0, on_ground=True))
    solid, (low, high) = solid_of(made.mesh), made.mesh.bounds
    assert max(made.told["size_mm"]) == pytest.approx(40.0, rel=1e-6) and low[2] == 0
    radius = 0.5 * (high[0] - low[0])  # of the ball; a cap of 4 mm is missing
    cap = math.pi * 16 * (3 * radius - 4) / 3
    assert solid.volume == pytest.approx(BALL * radius**3 - cap, rel=0.01)
    bottom = solid.face_normals[:, 2] < -0.999
    flat = solid.area_faces[bottom & (solid.triangles_center[:, 2] < 1e-6)].sum()
    assert flat == pytest.approx(math.pi * (radius**2 - (radius - 4) ** 2), rel=0.02)


def test_a_hollow_ball_has_a_wall_of_its_thickness():
    made = printable_solid(icosphere(subdivisions=4), PrintOptions(size=(40.0,), hollow=4.0))
    solid = solid_of(made.mesh)
    assert made.told["volume_cm3"] == pytest.approx(BALL * 8, rel=0.01)
    assert solid.volume == pytest.approx(BALL * (20**3 - 16**3), rel=0.02)
    assert len(solid.split()) == 2  # outer and inner surface
    inner = np.linalg.norm(made.mesh.merged().vertices, axis=1)
    inner = inner[inner < 18]
    assert inner.min() > 15.8 and inner.max() < 16.2


def test_a_drain_opens_the_hollow():
    options = PrintOptions(size=(40.0,), hollow=4.0, drain=6.0)
    solid = solid_of(printable_solid(icosphere(subdivisions=4), options).mesh)
    assert len(solid.split()) == 1 and solid.euler_number == 2  # a ball with a dent: one sphere
    assert not solid.contains([[0, 0, -18.0]])[0] and solid.contains([[0, 0, 18.0]])[0]


@pytest.mark.parametrize("make", [textured, colored])
def test_colors_stay_through_cuts(make):
    mesh = make()
    made = printable_solid(mesh, PrintOptions(size=(40.0,), flat_base=3.0, hollow=3.0)).mesh
    colors, old = vertex_colors(made), vertex_colors(mesh)
    assert colors is not None and is_watertight(made)
    back = made.vertices[:, [0, 2, 1]] * (1, 1, -1)
    back = back / np.linalg.norm(back, axis=1).max() * 0.5
    for position, color in zip(mesh.vertices, old, strict=True):
        near = np.flatnonzero(np.linalg.norm(back - position, axis=1) < 1e-6)
        assert len(near) == 0 or (np.abs(colors[near].astype(int) - color).sum(axis=1) <= 3).any()


def test_what_is_no_manifold_becomes_one():
    touching = joined(box((1.0, 1.0, 1.0)), moved(box((1.0, 1.0, 1.0)), (1.0, 1.0, 0.0)))  # they share an edge
    solid_of(printable_solid(touching, PrintOptions(size=(10.0,))).mesh)
    ball = icosphere(subdivisions=3)
    opened = printable_solid(Mesh(ball.vertices, ball.faces[1:]), PrintOptions(size=(10.0,)))
    assert solid_of(opened.mesh).volume == pytest.approx(BALL * 125, rel=0.05) and "not closed" in opened.notices[0]


def test_a_wall_that_fills_the_object_is_told():
    made = printable_solid(box(), PrintOptions(size=(10.0,), hollow=3.0))
    assert "leaves no hollow" in made.notices[0] and made.told["material_cm3"] == made.told["volume_cm3"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": (1.0, 2.0)}, "give one, or three"),
        ({"size": (-1.0,)}, "--size-mm is -1.0"),
        ({"size": (math.nan,)}, "--size-mm is nan"),
        ({"drain": 2.0}, "give --hollow"),
        ({"hollow": -1.0}, "--hollow is -1.0"),
    ],
)
def test_wrong_numbers_are_told(options, sentence):
    with pytest.raises(InputError, match=sentence):
        PrintOptions(**options)


def test_a_cut_that_leaves_nothing_and_a_package_that_is_not_there(monkeypatch):
    with pytest.raises(InputError, match="is all of an object"):
        printable_solid(box((1.0, 0.1, 0.1)), PrintOptions(size=(10.0,), flat_base=5.0))
    monkeypatch.setitem(sys.modules, "manifold3d", None)
    with pytest.raises(InputError, match=r"pip install 'monoform\[print\]'"):
        printable_solid(box(), PrintOptions(size=(10.0,)))
    with pytest.raises(InputError, match=r"pip install 'monoform\[print\]'"):
        ExportOptions(printing=PrintOptions(size=(10.0,)))  # before any work
