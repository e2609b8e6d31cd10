"""LIST's evaluation: inside flags, the metrics of surfaces, the exact earth mover's distance."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import trimesh

from monoform import InputError, Mesh
from monoform.methods.list.published_inside import inside_along_z, inside_published
from monoform.methods.list.surface_metrics import earth_movers_distance, surface_metrics


def ball(radius: float, center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return Mesh(np.asarray(made.vertices) + np.array(center), np.asarray(made.faces))


def test_points_in_a_ball_are_inside() -> None:
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 3))
    found = inside_published(ball(0.4), points)
    radii = np.linalg.norm(points, axis=1)
    sure = np.abs(radii - 0.4) > 0.01
    np.testing.assert_array_equal(found.inside[sure], (radii < 0.4)[sure])
    assert not found.holes.any()


def test_a_hole_along_one_axis_is_repaired_along_another() -> None:
    whole = ball(0.4)
    centers = whole.triangles.mean(1)
    top = np.linalg.norm(centers - np.array([0, 0, 0.4]), axis=1) < 0.15
    opened = Mesh(whole.vertices, whole.faces[~top])
    points = np.array([[0.011, 0.013, 0], [0.007, 0.019, 0.2], [0.301, 0.017, 0.009]])
    once = inside_along_z(opened.vertices, opened.faces, points)
    assert once.holes.tolist() == [True, True, False] and once.inside.tolist() == [False, False, True]
    assert inside_published(opened, points).inside.tolist() == [True, True, True]


def test_a_surface_agrees_with_itself_and_a_larger_one_less() -> None:
    sizes = {"points": 4000, "inside_points": 20_000, "emd_points": 200}
    same = surface_metrics(ball(0.4), ball(0.4), **sizes)
    assert same["iou"] == 1 and same["fscore_5.0"] == pytest.approx(1, abs=1e-4) and same["failed"] == 0
    larger = surface_metrics(ball(0.45), ball(0.4), **sizes)
    assert larger["iou"] == pytest.approx((0.4 / 0.45) ** 3, abs=0.03)
    assert larger["completeness"] == pytest.approx(0.05, abs=0.005) and larger["accuracy"] == pytest.approx(
        0.05, abs=0.005
    )
    assert larger["chamfer_l2"] == pytest.approx(10_000 * 0.05**2, rel=0.1) and larger["emd"] > same["emd"]


@pytest.mark.parametrize("prediction", [None, Mesh(np.eye(3), np.array([[0, 1, 2]]))])
def test_a_missing_surface_counts_as_the_worst(prediction: Mesh | None) -> None:
    found = surface_metrics(prediction, ball(0.4), points=500, inside_points=500, emd_points=50)
    assert found["iou"] == 0 and found["fscore_5.0"] == 0 and found["failed"] == 1
    assert found["completeness"] == found["emd"] == 1 and all(np.isfinite(list(found.values())))


def test_the_earth_movers_distance_is_the_best_of_all_matchings() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 5, 3))
    wanted = min(np.linalg.norm(one - other[list(order)], axis=1).mean() for order in permutations(range(5)))
    assert earth_movers_distance(one, other) == pytest.approx(wanted)
    shifted = one + np.array([0.1, 0, 0])
    assert earth_movers_distance(one, shifted) <= 0.1 + 1e-12
    for sizes in ((0, 0), (3, 4), (5000, 5000)):
        with pytest.raises(InputError, match="as many points"):
            earth_movers_distance(np.zeros((sizes[0], 3)), np.zeros((sizes[1], 3)))
