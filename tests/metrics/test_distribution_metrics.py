"""Distances of sets of features where the answer is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from monoform.errors import InputError
from monoform.metrics.frechet import Divisor, Moments, frechet_distance
from monoform.metrics.inception_score import inception_score
from monoform.metrics.kernel_distance import kernel_distance, squared_discrepancy
from monoform.metrics.precision_recall import precision_recall


def exactly(mean: np.ndarray, covariance: np.ndarray, count: int, divisor: Divisor, seed: int = 0) -> np.ndarray:
    """Features whose mean and covariance are these, not only in the limit."""
    draws = np.random.default_rng(seed).standard_normal((count, len(mean)))
    draws -= draws.mean(axis=0)
    own = draws.T @ draws / (count if divisor == "n" else count - 1)
    return draws @ np.linalg.inv(np.linalg.cholesky(own)).T @ np.linalg.cholesky(covariance).T + mean


@pytest.mark.parametrize("divisor", ["n", "n-1"])
def test_frechet_distance_of_normal_distributions_with_common_axes(divisor: Divisor) -> None:
    """Where the covariances commute it is |m1 - m2|^2 plus the squared differences of the deviations."""
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    deviations = np.array([1.0, 2.0, 0.5, 3.0]), np.array([1.5, 0.1, 0.5, 1.0])
    means = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 1.0, 0.0, 3.0])
    features = [
        exactly(mean, turn @ np.diag(each**2) @ turn.T, 50 + number, divisor, number)
        for number, (mean, each) in enumerate(zip(means, deviations, strict=True))
    ]
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    moments = [Moments.of(each) for each in features]
    assert frechet_distance(*moments, divisor) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(*reversed(moments), divisor) == pytest.approx(expected, rel=1e-9)


def test_the_divisor_changes_the_distance_as_it_must() -> None:
    """With n of both and one mean all that is left is proportional to the covariances."""
    first = exactly(np.zeros(3), np.eye(3), 20, "n")
    moments = Moments.of(first), Moments.of(3 * first)
    by_n, by_less = (frechet_distance(*moments, divisor) for divisor in ("n", "n-1"))
    assert by_n == pytest.approx(3 * (3 - 1) ** 2)
    assert by_less == pytest.approx(by_n * 20 / 19)


def test_fewer_images_than_features_have_a_distance_too() -> None:
    features = np.random.default_rng(0).standard_normal((10, 64))
    shift = np.random.default_rng(1).standard_normal(64)
    moments = Moments.of(features)
    assert frechet_distance(moments, moments, "n") == pytest.approx(0, abs=1e-6)
    assert frechet_distance(moments, Moments.of(features + shift), "n") == pytest.approx((shift**2).sum(), rel=1e-6)
    with pytest.raises(InputError, match="at least 2"):
        Moments.of(features[:1]).covariance("n-1")


def test_moments_of_batches_are_those_of_all_even_far_from_zero() -> None:
    features = np.random.default_rng(0).standard_normal((101, 5)) * np.arange(1, 6) + 1e7
    whole = np.cov(features, rowvar=False, ddof=1)
    streamed, other = Moments(5), Moments(5)
    for batch in np.array_split(features[:60], 7):
        streamed.add(batch)
    for batch in np.array_split(features[60:], 3):
        other.add(batch)
    streamed.merge(Moments(5))
    streamed.merge(other)  # of another process
    assert streamed.count == 101
    assert np.allclose(streamed.mean, features.mean(axis=0), rtol=1e-14)
    assert np.allclose(streamed.covariance("n-1"), whole, rtol=1e-7)
    assert np.allclose(streamed.covariance("n"), whole * 100 / 101, rtol=1e-7)


def test_the_kernel_distance_is_unbiased() -> None:
    """The mean over all draws of two from each of two small distributions is the distance of the distributions."""
    x, y = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]]), np.array([[1.0, 1.0], [-1.0, 0.0]])

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a @ b.T / 2 + 1) ** 3).mean())

    true = kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
    found = [
        squared_discrepancy(x[list(a)], y[list(b)])
        for a, b in product(product(range(3), repeat=2), product(range(2), repeat=2))
    ]
    assert np.mean(found) == pytest.approx(true, rel=1e-12)
    assert min(found) < true < max(found)


def test_the_kernel_distance_of_one_distribution_lies_around_zero_and_of_two_above() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((2, 300, 8))
    same, other = kernel_distance(x, y, size=100), kernel_distance(x, y + 0.5, size=100)
    assert abs(same) < 0.02 < other
    assert kernel_distance(x, y, size=100) == same
    assert kernel_distance(x, y, size=100, seed=1) != same
    assert kernel_distance(x, x, size=1000, subsets=3) < 0  # at most all of them, whose own pairs do not count


def test_precision_is_of_the_generated_and_recall_of_the_real() -> None:
    """The data are two clusters; of one the generator shows all, of the other none, and a third is its own."""
    draw = np.random.default_rng(0)
    cluster = draw.standard_normal((40, 3))
    real = np.concatenate((cluster, cluster[:20] + 100))
    generated = np.concatenate((cluster[:30], cluster[:10] - 100))
    precision, recall = precision_recall(real, generated, numbers="float32")
    assert precision == pytest.approx(30 / 40)
    assert 30 / 60 <= recall <= 40 / 60
    assert precision_recall(real, generated, numbers="float32", rows=7) == (precision, recall)
    assert precision_recall(generated, real, numbers="float32") == (recall, precision)
    with pytest.raises(InputError, match="more than 3"):
        precision_recall(real[:3], generated)


def test_more_neighbors_and_coarser_numbers_make_larger_balls() -> None:
    draw = np.random.default_rng(0)
    real, generated = draw.standard_normal((2, 80, 6))
    one, five = (precision_recall(real, generated, neighbors=k, numbers="float32")[0] for k in (1, 5))
    assert one < five
    line = np.arange(8.0)[:, None]
    probes = np.concatenate((line[:4] - 1.0004, line[:4]))
    exact, rounded = (precision_recall(line, probes, neighbors=1, numbers=kind)[0] for kind in ("float32", "float16"))
    assert exact < rounded == 1  # 1.0004 and 1 are one number in half precision


def test_inception_score_of_sure_and_unsure_classifiers() -> None:
    assert inception_score(np.full((20, 5), 0.2)) == (pytest.approx(1), pytest.approx(0))
    assert inception_score(np.tile(np.eye(5), (10, 1)), splits=2) == (pytest.approx(5), pytest.approx(0))
    one_then_all = np.concatenate((np.tile(np.eye(4)[:1], (8, 1)), np.tile(np.eye(4), (2, 1))))
    assert inception_score(one_then_all, splits=2) == (pytest.approx((1 + 4) / 2), pytest.approx((4 - 1) / 2))
    with pytest.raises(InputError, match="cannot be split into 10"):
        inception_score(np.eye(5))
