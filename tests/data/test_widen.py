from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import data_shapes as shapes

from monoform.data import AugmentOptions, augmented, fitted, procedural_object, random_palette, random_texture
from monoform.data.objects.augment import composed, deformed, repainted, with_vertex_colors
from monoform.data.objects.palettes import KINDS as TEXTURES
from monoform.data.objects.procedural import KINDS as OBJECTS
from monoform.data.objects.solids import box, ellipsoid, joined, lathe, painted, placed, tube
from monoform.errors import InputError
from monoform.mesh import Mesh, components, is_watertight, report
from monoform.mesh.solid.subdivide import subdivided
from monoform.mesh.topology import volume

STILL = AugmentOptions(stretch=0.0, deform=0.0, retexture=0.0, lay=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def textured_square() -> Mesh:
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:, 32:] = (255, 0, 0)
    square = shapes.sheet(1.0)
    return replace(square, uv=square.vertices[:, :2] + 0.5, texture=texture)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.08, 0.5))
def test_subdividing_keeps_the_surface(seed: int, longest: float) -> None:
    mesh = ellipsoid(rng(seed).uniform(0.1, 0.5, 3), rings=5)
    fine = subdivided(mesh, longest=longest)
    edges = np.linalg.norm(np.roll(fine.triangles, -1, axis=1) - fine.triangles, axis=2)
    assert edges.max() <= longest
    assert is_watertight(fine) and abs(volume(fine) - volume(mesh)) < 1e-9
    assert abs(fine.face_areas.sum() - mesh.face_areas.sum()) < 1e-9


def test_subdividing_opens_no_gap_along_a_seam_and_keeps_the_texture_in_place() -> None:
    mesh = box((0.5, 0.4, 0.3))
    split = Mesh(mesh.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3))
    assert is_watertight(subdivided(split, longest=0.07))
    square = subdivided(textured_square(), longest=0.1)
    assert square.uv is not None and np.abs(square.uv - (square.vertices[:, :2] + 0.5)).max() < 1e-12


def test_vertex_colors_come_from_the_texture() -> None:
    mesh = with_vertex_colors(textured_square())
    assert mesh.texture is None and mesh.vertex_colors is not None
    inner = np.abs(mesh.vertices[:, 0]) > 0.05
    inner &= np.abs(mesh.vertices[:, 0]) < 0.45  # a repeating texture mixes both sides at its border
    assert np.array_equal(mesh.vertex_colors[inner, 0], np.where(mesh.vertices[inner, 0] > 0, 255, 0))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_widened_copies_fit_the_sphere_and_stay_closed(seed: int) -> None:
    mesh = painted(ellipsoid((0.2, 0.4, 0.3)), np.array([0.2, 0.5, 0.7]))
    copy = augmented(mesh, generator=rng(seed))
    assert abs(np.linalg.norm(copy.vertices, axis=1).max() - 0.5) < 1e-9
    assert np.abs(copy.bounds.sum(axis=0)).max() < 1e-9
    assert is_watertight(copy) and volume(copy) > 0


def test_copies_depend_on_the_seed_alone() -> None:
    mesh = procedural_object("cup", generator=rng())
    first, again, other = (augmented(mesh, generator=rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.vertices, again.vertices) and np.array_equal(first.faces, again.faces)
    assert first.vertices.shape != other.vertices.shape or not np.array_equal(first.vertices, other.vertices)


def test_each_option_changes_the_copy() -> None:
    mesh = fitted(painted(ellipsoid((0.2, 0.4, 0.3)), np.array([0.2, 0.5, 0.7])))

    def copy(**changes: float) -> Mesh:
        return augmented(mesh, generator=rng(1), options=replace(STILL, **changes))

    still = copy()
    assert np.allclose(np.abs(still.vertices), np.abs(mesh.vertices), atol=1e-9)  # it may be mirrored
    assert not np.allclose(np.abs(copy(stretch=0.3).vertices), np.abs(mesh.vertices), atol=0.01)
    assert len(copy(deform=1.0).faces) > len(mesh.faces)
    colors = copy(retexture=1.0).vertex_colors
    assert colors is not None and len(np.unique(colors, axis=0)) > 3
    sides = np.ptp(copy(lay=1.0).vertices, axis=0)
    assert sides.argmax() != np.ptp(mesh.vertices, axis=0).argmax()
    assert len(copy(retexture=1.0, edge=0.02).faces) > len(copy(retexture=1.0, edge=0.2).faces)


def test_bends_keep_volume_and_tapers_change_it() -> None:
    mesh = subdivided(box((1.0, 0.2, 0.2)), longest=0.05)
    kinds = {}
    for seed in range(30):
        result = deformed(mesh, AugmentOptions(), generator=rng(seed))
        assert is_watertight(result)
        kinds[round(volume(result) / volume(mesh), 4)] = result
    # Bending about the centre line and twisting keep volume (up to the chords); tapering does not.
    shares = np.array(list(kinds))
    assert (np.abs(shares - 1) < 0.02).any() and (np.abs(shares - 1) > 0.02).any()


def test_two_objects_are_put_together() -> None:
    first, second = fitted(painted(box((1, 1, 1)), np.ones(3))), fitted(painted(ellipsoid((1, 1, 1)), np.zeros(3)))
    both = composed(first, second, generator=rng())
    assert len(both.faces) == len(first.faces) + len(second.faces)
    assert len(components(both)) == 2
    assert both.vertex_colors is not None and set(np.unique(both.vertex_colors)) == {0, 255}


@pytest.mark.parametrize("kind", list(TEXTURES))
def test_textures_are_colors_decided_by_the_seed(kind: str) -> None:
    points = shapes.cube_points(500, half=0.5)
    for seed in range(4):
        texture = random_texture(rng(seed), kind)
        colors = texture(points)
        assert colors.shape == (500, 3) and colors.min() >= 0 and colors.max() <= 1
        assert np.array_equal(colors, random_texture(rng(seed), kind)(points))
        assert len(np.unique(colors, axis=0)) > 1
        assert np.array_equal(texture(points[:7]), colors[:7])  # a function of the place alone


def test_palettes_are_colors() -> None:
    palettes = np.stack([random_palette(rng(seed), 4) for seed in range(50)])
    assert palettes.min() >= 0 and palettes.max() <= 1 and palettes.std() > 0.15


def test_repainting_keeps_the_shape() -> None:
    mesh = subdivided(painted(box((0.5, 0.5, 0.5)), np.full(3, 0.5)), longest=0.1)
    painted_anew = repainted(mesh, generator=rng())
    assert painted_anew.vertices is mesh.vertices
    assert not np.array_equal(painted_anew.vertex_colors, mesh.vertex_colors)


@pytest.mark.parametrize("kind", list(OBJECTS))
def test_procedural_objects_are_made_of_closed_parts(kind: str) -> None:
    for seed in range(6):
        mesh = procedural_object(kind, generator=rng(seed))
        assert mesh.vertex_colors is not None
        for part in components(mesh):
            assert is_watertight(part) and volume(part) > 0, (kind, seed)
        again = procedural_object(kind, generator=rng(seed))
        assert np.array_equal(mesh.vertices, again.vertices) and np.array_equal(mesh.vertex_colors, again.vertex_colors)


def test_turned_bodies_have_the_volume_of_pappus() -> None:
    cylinder = lathe(np.array([[0, 0], [0.3, 0], [0.3, 0.8], [0, 0.8]]), segments=200)
    assert abs(volume(cylinder) - math.pi * 0.09 * 0.8) < 1e-3
    ring_path = np.array([[math.sin(a), 0, math.cos(a)] for a in np.linspace(0, math.pi, 200)]) * 0.4
    assert abs(volume(tube(ring_path, 0.1, segments=100)) - math.pi * 0.4 * math.pi * 0.01) < 2e-4


def test_parts_are_placed_as_asked() -> None:
    mesh = placed(box((0.2, 0.4, 0.6)), offset=(1, 2, 3), turn=math.pi / 2)
    assert np.allclose(mesh.bounds, [[0.7, 1.8, 2.9], [1.3, 2.2, 3.1]])
    tapered = box((1, 1, 1), taper=0.5)
    assert np.isclose(volume(tapered), (1 + 0.5 + 0.25) / 3)
    assert report(joined([mesh, tapered])).components == 2


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(InputError, match="procedural kind 'mug'"):
        procedural_object("mug", generator=rng())
    with pytest.raises(InputError, match="texture kind 'silk'"):
        random_texture(rng(), "silk")
    with pytest.raises(InputError, match="no extent"):
        fitted(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])))
