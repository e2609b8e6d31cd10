"""Mass and inertia of known solids, convex parts, and the files of simulators."""

from __future__ import annotations

import math
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import trimesh
from tests.mesh.mesh_shapes import box, icosphere, joined, moved
from tests.mesh.test_mesh_formats import textured

from monoform import InputError
from monoform.jobs.exports import PrintOptions, printable_solid
from monoform.jobs.exports.simulation import body_of, write_body
from monoform.mesh import Mesh
from monoform.mesh.mass import mass_properties


def test_the_inertia_of_a_box():
    sides, density = np.array([1.0, 0.6, 0.4]), 700.0
    found = mass_properties(moved(box(tuple(sides)), (3.0, -2.0, 1.0)), density)
    mass = density * sides.prod()
    assert found.mass == pytest.approx(mass, rel=1e-12)
    np.testing.assert_allclose(found.center, (3, -2, 1), atol=1e-12)
    x, y, z = sides**2
    np.testing.assert_allclose(found.inertia, mass / 12 * np.diag([y + z, x + z, x + y]), atol=1e-9)


def test_the_inertia_of_a_ball():
    found = mass_properties(icosphere(0.5, subdivisions=5))  # inscribed, so a little lighter
    mass = 4 / 3 * math.pi * 0.125
    assert found.mass == pytest.approx(mass, rel=2e-3)
    np.testing.assert_allclose(found.inertia, 0.4 * mass * 0.25 * np.eye(3), atol=1e-3 * mass)


def test_a_turned_solid_has_the_turned_inertia():
    turn = np.eye(4)
    turn[:3, :3] = trimesh.transformations.random_rotation_matrix(np.array([0.1, 0.5, 0.8]))[:3, :3]
    mesh = joined(box(), moved(box((0.3, 0.3, 0.9)), (2.0, 0.5, 0.1)))
    plain, turned = mass_properties(mesh), mass_properties(mesh.transformed(turn))
    np.testing.assert_allclose(turned.inertia, turn[:3, :3] @ plain.inertia @ turn[:3, :3].T, atol=1e-9)
    other = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    np.testing.assert_allclose(plain.inertia, other.moment_inertia, atol=1e-9)
    np.testing.assert_allclose(plain.center, other.center_mass, atol=1e-9)


def test_a_mesh_that_looks_inwards_has_no_mass():
    with pytest.raises(InputError, match="encloses a volume"):
        mass_properties(Mesh(box().vertices, box().faces[:, ::-1]))


def l_shape() -> Mesh:
    """A prism over an L, closed."""
    outline = np.array([(0, 0), (1, 0), (1, 0.2), (0.2, 0.2), (0.2, 1), (0, 1)])
    count = len(outline)
    vertices = np.concatenate([np.c_[outline, np.zeros(count)], np.c_[outline, np.full(count, 0.3)]])
    top = [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)]
    faces = [(a + count, b + count, c + count) for a, b, c in top] + [(a, c, b) for a, b, c in top]
    for start in range(count):
        end = (start + 1) % count
        faces += [(start, end, end + count), (start, end + count, start + count)]
    return Mesh(vertices, np.array(faces))


def test_an_l_falls_into_convex_parts():
    pytest.importorskip("coacd")
    hull, parts = body_of(l_shape(), parts=1), body_of(l_shape(), parts=4)
    assert hull.told["convex_parts"] == 1 and hull.told["volume_of_parts"] > 1.7  # of 0.36, the hull has 0.68
    assert 2 <= parts.told["convex_parts"] <= 4 and parts.told["volume_of_parts"] == pytest.approx(1, abs=0.15)
    assert parts.told["surface_to_parts_m"] < 0.03 and not parts.notices
    for part in parts.parts:
        solid = trimesh.Trimesh(part.vertices, part.faces, process=False)
        assert solid.is_volume and solid.is_convex


def test_a_hollow_body_is_touched_from_outside():
    solid = printable_solid(icosphere(subdivisions=3), PrintOptions(size=(100.0,), hollow=10.0))
    body = body_of(solid.mesh, outer=solid.outer, parts=1)
    assert body.told["volume_of_parts"] == pytest.approx(1, abs=1e-6)  # a ball is convex
    assert body.mass.mass == pytest.approx(1000.0 * 1000.0 * solid.told["material_cm3"], rel=1e-6)


def test_without_the_package_it_is_the_hull(monkeypatch):
    monkeypatch.setitem(sys.modules, "coacd", None)
    found = body_of(l_shape(), parts=4)
    assert found.told["convex_parts"] == 1 and "monoform[simulation]" in found.notices[0]


def test_the_files_say_the_same_and_their_meshes_are_there(tmp_path: Path):
    body = body_of(textured(), density=500.0, parts=1)
    told = write_body(body, tmp_path, ("urdf", "mjcf"), 'a "mug" & <more>')
    assert set(told) == {path.name for path in tmp_path.iterdir()}
    urdf, mjcf = (ElementTree.parse(tmp_path / f"object.{kind}").getroot() for kind in ("urdf", "xml"))
    assert urdf.get("name") == mjcf.get("model") == 'a "mug" & <more>'
    inertial = mjcf.find("worldbody/body/inertial")
    assert float(urdf.find("link/inertial/mass").get("value")) == pytest.approx(body.mass.mass, rel=1e-6)
    assert float(inertial.get("mass")) == pytest.approx(body.mass.mass, rel=1e-6)
    row = urdf.find("link/inertial/inertia")
    assert float(row.get("iyy")) == pytest.approx(body.mass.inertia[1, 1], rel=1e-6)
    values = [float(word) for word in inertial.get("fullinertia").split()]
    np.testing.assert_allclose(values[:3], np.diag(body.mass.inertia), rtol=1e-6)
    files = {each.get("filename") for each in urdf.iter("mesh")} | {
        each.get("file") for each in [*mjcf.iter("mesh"), *mjcf.iter("texture")]
    }
    assert files <= set(told) and any(name.endswith(".png") for name in files)


def test_mujoco_reads_it(tmp_path: Path):
    mujoco = pytest.importorskip("mujoco", reason="mujoco is not installed")
    body = body_of(l_shape(), density=500.0, parts=4)
    write_body(body, tmp_path, ("urdf", "mjcf"), "l")
    for name in ("object.xml", "object.urdf"):
        model = mujoco.MjModel.from_xml_path(str(tmp_path / name))
        if name == "object.xml":
            assert model.body_mass[1] == pytest.approx(body.mass.mass, rel=1e-6)
            np.testing.assert_allclose(model.body_ipos[1], body.mass.center, atol=1e-6)
