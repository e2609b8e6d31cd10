"""Shape metrics against loops over all pairs, and on shapes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoform import InputError
from monoform.methods.list.published_points import published_point_metrics
from monoform.metrics import (
    chamfer,
    f_score,
    nearest,
    normal_consistency,
    precision,
    recall,
    volume_iou,
)

seeds = st.integers(0, 1000)
sizes = st.integers(1, 30)


def clouds(seed: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((n, 3)), rng.random((m, 3))


def all_pairs(a: np.ndarray, b: np.ndarray) -> list[float]:
    return [min(math.dist(p, q) for q in b.tolist()) for p in a.tolist()]


@given(seeds, sizes, sizes, st.floats(0.01, 0.6))
def test_point_metrics_equal_the_loops(seed: int, n: int, m: int, threshold: float) -> None:
    a, b = clouds(seed, n, m)
    there, back = all_pairs(a, b), all_pairs(b, a)
    assert chamfer(a, b) == pytest.approx(0.5 * (sum(there) / n + sum(back) / m))
    expected = 0.5 * (sum(d * d for d in there) / n + sum(d * d for d in back) / m)
    assert chamfer(a, b, squared=True) == pytest.approx(expected)
    p, r = sum(d < threshold for d in there) / n, sum(d < threshold for d in back) / m
    assert precision(a, b, threshold) == pytest.approx(p)
    assert recall(a, b, threshold) == pytest.approx(r)
    assert f_score(a, b, threshold) == pytest.approx(0.0 if p + r == 0 else 2 * p * r / (p + r))


@given(seeds, sizes, sizes)
def test_normal_consistency_equals_the_loop(seed: int, n: int, m: int) -> None:
    a, b = clouds(seed, n, m)
    na, nb = (x - 0.5 for x in clouds(seed + 1, n, m))
    na, nb = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (na, nb))

    def one_way(p: np.ndarray, np_: np.ndarray, q: np.ndarray, nq: np.ndarray) -> float:
        total = 0.0
        for point, normal in zip(p, np_, strict=True):
            j = min(range(len(q)), key=lambda k: math.dist(point, q[k]))
            total += abs(float(normal @ nq[j]))
        return total / len(p)

    expected = 0.5 * (one_way(a, na, b, nb) + one_way(b, nb, a, na))
    assert normal_consistency(a, na, b, nb) == pytest.approx(expected)


@given(seeds, sizes, sizes)
def test_published_names_mean_what_the_paper_printed(seed: int, n: int, m: int) -> None:
    prediction, truth = clouds(seed, n, m)
    to_prediction, to_truth = all_pairs(truth, prediction), all_pairs(prediction, truth)
    metrics = published_point_metrics(prediction, truth, (0.05, 0.3))
    assert metrics["completeness"] == pytest.approx(sum(to_prediction) / m)
    assert metrics["accuracy"] == pytest.approx(sum(to_truth) / n)
    assert metrics["chamfer_l2"] == pytest.approx(1e4 * chamfer(prediction, truth, squared=True))
    for threshold, name in ((0.05, "5.0"), (0.3, "30.0")):
        p, r = (sum(d < threshold for d in ds) / n for ds in (to_prediction, to_truth))
        assert metrics[f"precision_{name}"] == pytest.approx(p)
        assert metrics[f"recall_{name}"] == pytest.approx(r)
        assert metrics[f"fscore_{name}"] == pytest.approx(2 * p * r / (p + r + 1e-5))


def test_shifted_plane_is_known() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 1, 11))
    plane = np.stack((x.ravel(), y.ravel(), np.zeros(121)), axis=1)
    shifted, normals = plane + np.array((0.0, 0.0, 0.03)), np.tile((0.0, 0.0, 1.0), (121, 1))
    assert chamfer(plane, shifted) == pytest.approx(0.03)
    assert chamfer(plane, shifted, squared=True) == pytest.approx(0.0009)
    assert f_score(plane, shifted, 0.031) == 1.0 and f_score(plane, shifted, 0.029) == 0.0
    assert normal_consistency(plane, normals, shifted, -normals) == pytest.approx(1.0)


def test_nearest_returns_the_neighbor() -> None:
    distances, indices = nearest(np.array([[0.0, 0.0, 0.0]]), np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert distances.tolist() == [1.0] and indices.tolist() == [1]


def test_two_balls_have_the_volume_overlap_of_their_lens() -> None:
    axis = np.linspace(-1, 1, 80)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    first = np.linalg.norm(grid - (0.2, 0, 0), axis=-1) < 0.5
    second = np.linalg.norm(grid - np.array((-0.2, 0, 0)), axis=-1) < 0.5
    d, r = 0.4, 0.5
    lens = math.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    expected = lens / (2 * 4 / 3 * math.pi * r**3 - lens)
    assert volume_iou(first, second) == pytest.approx(expected, abs=0.01)
    assert volume_iou(first & False, second & False) == 1.0


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_unusable_points_are_named(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="reference"):
        chamfer(np.zeros((2, 3)), bad)
    with pytest.raises(InputError, match="points"):
        precision(bad, np.zeros((2, 3)), 0.1)
