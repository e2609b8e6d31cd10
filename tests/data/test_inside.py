from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation
from tests.data import data_shapes as shapes

from monoform.data import Solid, procedural_object
from monoform.data.objects.solids import box, ellipsoid
from monoform.errors import InputError
from monoform.mesh import Mesh, components
from monoform.mesh.solid.voxels import dense_samples, grown, voxelize
from monoform.mesh.solid.winding import dipole_winding_number

CELL = 1 / 96


def check(mesh: Mesh, points: np.ndarray, expected: np.ndarray, *, tolerance: float = 0.003) -> None:
    """Distances within `tolerance`, signs right wherever the truth is further from 0 than the mesh's own error."""
    found = Solid(mesh, size=CELL).signed_distance(points)
    assert np.abs(np.abs(found) - np.abs(expected)).max() < tolerance
    clear = np.abs(expected) > 0.0015
    assert np.array_equal(found[clear] < 0, expected[clear] < 0)


def near_points(mesh: Mesh, count: int = 3000) -> np.ndarray:
    """Points everywhere, half of them close to the surface."""
    generator = np.random.default_rng(1)
    surface = Solid(mesh, size=CELL).surface(count, seed=0).points
    return np.concatenate([surface + 0.01 * generator.normal(size=surface.shape), shapes.cube_points(count)])


def test_ball() -> None:
    mesh = shapes.ball()
    points = near_points(mesh)
    check(mesh, points, np.linalg.norm(points, axis=1) - 0.5)


def test_box() -> None:
    mesh = box((0.7, 0.5, 0.06))
    points = near_points(mesh)
    check(mesh, points, shapes.box_distance(points, np.array([0.35, 0.25, 0.03])))


def test_torus() -> None:
    mesh = shapes.torus()
    points = near_points(mesh)
    check(mesh, points, shapes.torus_distance(points))


def test_part_thinner_than_a_cell_is_solid() -> None:
    half = np.array([0.3, 0.3, 0.25 * CELL])
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3)) * half * 0.9
    assert Solid(box(tuple(2 * half)), size=CELL).contains(points).all()


def test_overlapping_balls_are_one_solid() -> None:
    centers = (-0.15, 0.15)
    mesh = shapes.together(*[shapes.ball(0.3, (x, 0.0, 0.0)) for x in centers])
    points = near_points(mesh)
    distances = np.stack([np.linalg.norm(points - (x, 0, 0), axis=1) - 0.3 for x in centers])
    found = Solid(mesh, size=CELL).signed_distance(points)
    union = distances.min(axis=0)
    clear = np.abs(union) > 0.002
    assert np.array_equal(found[clear] < 0, union[clear] < 0)
    assert np.abs(found - union)[union > 0.002].max() < 0.003
    # The lens between the balls counts as deep inside, although two surfaces pass through it: from the centre the
    # circle in which the balls meet is nearest, at sqrt(0.3^2 - 0.15^2).
    assert abs(Solid(mesh, size=CELL).signed_distance(np.zeros((1, 3)))[0] + np.sqrt(0.3**2 - 0.15**2)) < 2 * CELL


@pytest.mark.parametrize("turn_over", [False, True])
def test_shells_within_are_ignored(turn_over: bool) -> None:
    inner = shapes.ball(0.3)
    mesh = shapes.together(shapes.ball(), shapes.turned_over(inner) if turn_over else inner)
    points = near_points(mesh)
    check(mesh, points, np.linalg.norm(points, axis=1) - 0.5)


def test_hollow_stays_empty() -> None:
    solid = Solid(shapes.beaker(), size=CELL)
    inside = solid.contains(np.array([[0, 0, 0], [0.1, 0.2, 0.1], [0, -0.275, 0], [0.275, 0, 0]], float))
    assert inside.tolist() == [False, False, True, True]


def test_missing_side_is_closed_where_faces_look_outwards() -> None:
    points = shapes.cube_points(4000) * (0.8, 0.8, 0.8)
    found = Solid(shapes.without_top((0.6, 0.8, 0.5)), size=CELL).contains(points)
    gap = shapes.box_distance(points, np.array([0.3, 0.4, 0.25]))
    # Where the opening is closed is fixed to a few cells only.
    clear = (np.abs(gap) > 0.002) & (np.abs(points[:, 1] - 0.4) > 0.12)
    assert np.array_equal(found[clear], gap[clear] < 0)


def test_tray_stays_open_where_faces_look_inwards() -> None:
    solid = Solid(shapes.turned_over(shapes.without_top((0.6, 0.8, 0.5))), size=CELL)
    assert not solid.contains(np.zeros((1, 3)))[0]


def test_sheet_gets_its_thickness() -> None:
    points = shapes.cube_points(3000, half=0.3) * (1, 1, 0.1)
    for cells in (1.0, 2.0):
        found = Solid(shapes.sheet(), size=CELL, sheet=cells).signed_distance(points)
        assert np.abs(found - (np.abs(points[:, 2]) - 0.5 * cells * CELL)).max() < 1e-6


def test_signs_agree_with_ray_parity_on_closed_meshes() -> None:
    generator = np.random.default_rng(5)
    meshes = [
        part
        for kind in ("cup", "turned", "boxes", "table", "creature")
        for seed in range(2)
        for part in components(procedural_object(kind, generator=np.random.default_rng(seed)))[:3]
    ][:20]
    assert len(meshes) == 20
    for mesh in meshes:
        unit = mesh.transformed(np.diag([*np.full(3, 1 / np.ptp(mesh.vertices, axis=0).max()), 1.0]))
        low, high = unit.bounds
        points = generator.uniform(low - 0.02, high + 0.02, (1500, 3))
        distance = Solid(unit, size=1 / 128).signed_distance(points)
        clear = np.abs(distance) > 1e-4
        assert np.array_equal(distance[clear] < 0, shapes.parity_inside(unit, points)[clear])


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_turning_the_mesh_turns_the_distances(seed: int) -> None:
    turn = Rotation.random(random_state=seed).as_matrix()
    mesh = ellipsoid((0.45, 0.2, 0.1))
    points = shapes.cube_points(400, seed=seed)
    straight = Solid(mesh, size=1 / 64).signed_distance(points)
    turned = Solid(Mesh(mesh.vertices @ turn.T, mesh.faces), size=1 / 64).signed_distance(points @ turn.T)
    apart = np.abs(straight - turned)
    # Nearest samples choose the faces that are tried: exact almost everywhere, never off by more than their spacing.
    assert apart.max() < 0.5 / 64
    assert np.quantile(apart, 0.9) < 1e-6


def test_surface_points_lie_on_the_outer_surface_and_look_out() -> None:
    mesh = shapes.together(shapes.turned_over(shapes.ball()), shapes.ball(0.3))
    surface = Solid(mesh, size=CELL).surface(2000, seed=0)
    assert len(surface.points) == 2000
    assert np.abs(np.linalg.norm(surface.points, axis=1) - 0.5).max() < 0.002
    assert (np.einsum("ij,ij->i", surface.normals, surface.points) > 0.49).all()


def test_winding_numbers_count_shells() -> None:
    mesh = shapes.together(shapes.ball(), shapes.ball(0.3))
    points = np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.8, 0]], float)
    assert np.abs(dipole_winding_number(mesh, points, samples=3000) - (2, 1, 0)).max() < 0.05


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_grown_is_a_dilation(seed: int) -> None:
    cells = np.random.default_rng(seed).random((5, 6, 7)) < 0.15
    assert np.array_equal(grown(cells), ndimage.binary_dilation(cells))
    assert np.array_equal(grown(cells, corners=True), ndimage.binary_dilation(cells, np.ones((3, 3, 3), bool)))


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_samples_cover_each_face(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mesh = Mesh(generator.normal(size=(3, 3)), np.array([[0, 1, 2]]))
    samples, faces = dense_samples(mesh, reach=0.07)
    weights = generator.dirichlet(np.ones(3), 200)
    points = weights @ mesh.vertices
    assert (faces == 0).all()
    assert np.linalg.norm(points[:, None] - samples[None], axis=2).min(axis=1).max() <= 0.07 + 1e-9


def test_flood_does_not_leak_through_a_slanting_wall() -> None:
    turn = Rotation.from_rotvec([0.4, 0.7, 0.2]).as_matrix()
    mesh = box((0.6, 0.6, 0.6))
    grid, _, _ = voxelize(Mesh(mesh.vertices @ turn.T, mesh.faces), size=0.013)
    assert not grid.look_up(grid.outside, np.zeros((1, 3)))[0]
    assert grid.outside[0].all() and grid.outside[:, :, -1].all()


def test_meshes_without_an_inside_are_refused() -> None:
    empty = Mesh(np.zeros((1, 3)), np.zeros((0, 3), int))
    with pytest.raises(InputError, match="without faces"):
        Solid(empty)
    with pytest.raises(InputError, match="too small"):
        Solid(shapes.ball(subdivisions=1), size=1e-4)
