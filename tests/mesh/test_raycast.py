"""Ray casts against analytic answers; the two casters against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, joined, moved, star_solids, torus

import monoform.mesh.raycast as raycast
from monoform import InputError
from monoform.mesh import Mesh, RayCaster, closest_points
from monoform.mesh.closest import closest_weights

BACKENDS = ["embree", "plain"] if raycast.HAS_EMBREE else ["plain"]


def random_rays(seed: int, count: int, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    origins = size * generator.normal(size=(count, 3))
    targets = 0.4 * size * generator.normal(size=(count, 3))
    return origins, (targets - origins) * generator.uniform(0.1, 3.0, (count, 1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_box_is_met_where_it_stands(backend: raycast.Backend) -> None:
    caster = RayCaster(box((2, 2, 2)), backend=backend)
    origins = np.array([[0.3, 0.2, 5.0], [5.0, 0.1, -0.4], [0.0, 3.0, 5.0], [0.1, 0.2, 0.3], [0.3, 0.2, 5.0]])
    directions = np.array([[0, 0, -1.0], [-2.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0], [0, 0, 1.0]])
    hits = caster.cast(origins, directions)
    assert hits.hit.tolist() == [True, True, False, True, False]
    np.testing.assert_allclose(hits.t[[0, 1, 3]], [4.0, 2.0, 0.8], atol=1e-12)
    assert np.isinf(hits.t[[2, 4]]).all() and (hits.face[[2, 4]] == -1).all()
    positions = hits.interpolate(caster.mesh, caster.mesh.vertices)[[0, 1, 3]]
    np.testing.assert_allclose(positions, [[0.3, 0.2, 1.0], [1.0, 0.1, -0.4], [0.1, 1.0, 0.3]], atol=1e-12)
    assert (hits.interpolate(caster.mesh, caster.mesh.vertices)[[2, 4]] == 0).all()


@pytest.mark.skipif(not raycast.HAS_EMBREE, reason="there is only one caster where embreex has no wheel")
@pytest.mark.parametrize(
    "shape", [icosphere(subdivisions=3), torus(), box(), joined(torus(), moved(box(), (0.2, 0, 0)))]
)
def test_both_casters_agree_on_random_rays(shape: Mesh) -> None:
    origins, directions = random_rays(0, 4000)
    ours = RayCaster(shape, backend="embree").cast(origins, directions)
    plain = RayCaster(shape, backend="plain").cast(origins, directions)
    assert 0.2 < plain.hit.mean() < 0.95
    assert (ours.hit != plain.hit).mean() < 1e-3  # rays that graze an outline
    both = ours.hit & plain.hit
    np.testing.assert_allclose(ours.t[both], plain.t[both], rtol=1e-5)
    assert (ours.face != plain.face)[both].mean() < 2e-3  # rays through an edge belong to either face


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=20, deadline=None)
@given(mesh=star_solids(), seed=st.integers(0, 1000))
def test_every_ray_from_inside_a_closed_solid_meets_it(backend: raycast.Backend, mesh: Mesh, seed: int) -> None:
    directions = np.random.default_rng(seed).normal(size=(200, 3))
    hits = RayCaster(mesh, backend=backend).cast(np.zeros((200, 3)), directions)
    assert hits.hit.all()
    points = hits.t[:, None] * directions
    np.testing.assert_allclose(hits.interpolate(mesh, mesh.vertices), points, atol=1e-9 * np.abs(mesh.bounds).max())
    assert (np.einsum("ij,ij->i", mesh.face_normals[hits.face], directions) > 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_far_away_small_and_shifted_meshes_keep_their_precision(backend: raycast.Backend) -> None:
    """float32 alone would miss by more than the object's size."""
    small = icosphere(1e-4, 4)
    shifted = moved(small, (1000.0, -2000.0, 500.0))
    center = np.array([1000.0, -2000.0, 500.0])
    directions = np.random.default_rng(0).normal(size=(300, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = RayCaster(shifted, backend=backend).cast(center - 1000.0 * directions, directions)
    assert hits.hit.all()
    assert np.abs(hits.t - (1000.0 - 1e-4)).max() < 1e-6


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_ray_leaks_through_shared_edges(backend: raycast.Backend) -> None:
    ball = icosphere(1.0, 2)
    aims = np.concatenate([ball.vertices, ball.vertices[ball.faces[:, :2]].mean(axis=1)])
    hits = RayCaster(ball, backend=backend).cast(np.zeros_like(aims), aims)
    assert hits.hit.mean() > 0.999


def test_rays_that_are_no_rays_miss() -> None:
    caster = RayCaster(icosphere())
    origins = np.array([[0, 0, 2.0], [np.nan, 0, 0], [0, 0, 2.0]])
    directions = np.array([[0.0, 0, 0], [0, 0, 1.0], [0, 0, np.inf]])
    assert not caster.cast(origins, directions).hit.any()
    assert len(caster.cast(np.zeros((0, 3)), np.zeros((0, 3))).hit) == 0


def test_nothing_to_cast_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="without faces"):
        RayCaster(Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int64)))
    monkeypatch.setattr(raycast, "HAS_EMBREE", False)
    assert RayCaster(box()).backend == "plain"
    with pytest.raises(InputError, match="pip install embreex"):
        RayCaster(box(), backend="embree")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_closest_point_of_a_triangle_is_closer_than_any_sample(seed: int) -> None:
    generator = np.random.default_rng(seed)
    triangles, points = generator.normal(size=(20, 3, 3)), generator.normal(size=(20, 3))
    weights = closest_weights(triangles, points)
    assert (weights >= -1e-12).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    best = np.linalg.norm(np.einsum("nk,nkc->nc", weights, triangles) - points, axis=1)
    random = generator.dirichlet(np.ones(3), size=500)
    sampled = np.linalg.norm(np.einsum("sk,nkc->nsc", random, triangles) - points[:, None], axis=2).min(axis=1)
    assert (best <= sampled + 1e-12).all()
    assert (sampled - best < 0.5).all()


def test_closest_points_of_a_sphere_and_of_two_sides() -> None:
    ball = icosphere(1.0, 4)
    points = np.random.default_rng(0).normal(size=(500, 3))
    near = closest_points(ball, points)
    np.testing.assert_allclose(near.distance, np.abs(np.linalg.norm(points, axis=1) - 1.0), atol=3e-3)
    plate = box((1.0, 1.0, 1e-3))
    below_top = np.array([[0.2, 0.1, -1e-3]])
    upper = closest_points(plate, below_top, normals=np.array([[0.0, 0, 1]]))
    assert upper.point[0, 2] == pytest.approx(5e-4)
    assert closest_points(plate, below_top).point[0, 2] == pytest.approx(-5e-4)
    assert math.isclose(float(upper.distance[0]), 1.5e-3, rel_tol=1e-6)
