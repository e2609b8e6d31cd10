"""Distances of distributions of poses where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from monoform.errors import InputError
from monoform.metrics.depth import depth_error
from monoform.metrics.pose_distribution import (
    TURN,
    Alignment,
    best_alignment,
    circular_correlation,
    circular_wasserstein,
    divergence,
    plain_distances,
    pose_distances,
)


@pytest.mark.parametrize(("first", "second", "expected"), [(0.1, 0.4, 0.3), (0.1, TURN - 0.2, 0.3), (1.0, -1.0, 2.0)])
def test_two_single_angles_are_their_shorter_arc_apart(first: float, second: float, expected: float) -> None:
    assert circular_wasserstein(np.array([first]), np.array([second])) == pytest.approx(expected)
    assert circular_wasserstein(np.array([first] * 3), np.array([second] * 7)) == pytest.approx(expected)


def test_a_point_is_a_quarter_turn_from_all_around() -> None:
    around = (np.arange(1000) + 0.5) / 1000 * TURN
    assert circular_wasserstein(np.array([1.0]), around) == pytest.approx(np.pi / 2, rel=1e-3)
    assert circular_wasserstein(around, around + 0.002) == pytest.approx(0.002, rel=1e-6)
    assert circular_wasserstein(around, around) == 0


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_cost_of_the_best_pairing(seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.normal(0, 2, 30), draw.uniform(-1, 5, 30)
    cost = np.abs((x[:, None] - y[None] + np.pi) % TURN - np.pi)
    best = cost[linear_sum_assignment(cost)].mean()
    assert circular_wasserstein(x, y) == pytest.approx(best, abs=1e-12)
    assert circular_wasserstein(y + 1.3, x + 1.3) == pytest.approx(best, abs=1e-12)


def test_the_best_turn_and_reflection_are_found() -> None:
    draw = np.random.default_rng(0)
    true = np.concatenate((draw.normal(0.4, 0.2, 200), draw.normal(2.0, 0.1, 80)))  # not its own mirror image
    turned, distance = best_alignment(true, true - 2.5)
    assert (turned.offset, turned.reflected) == (pytest.approx(2.5, abs=1e-4), False)
    assert distance < 1e-4
    mirrored, near = best_alignment(true, 0.7 - true, reflect=True)
    assert mirrored.reflected and mirrored.offset == pytest.approx(0.7, abs=1e-4) and near < 1e-4
    assert best_alignment(true, 0.7 - true)[1] > 0.05
    assert Alignment(0.7, True)(0.7 - true) == pytest.approx(true % TURN)


def test_angles_that_go_together() -> None:
    draw = np.random.default_rng(0)
    true, other = draw.normal(3.0, 0.5, 400), draw.uniform(0, TURN, 400)  # across the end of the circle
    assert circular_correlation(true, true + 2.0) == pytest.approx(1)
    assert circular_correlation(true, 1.0 - true) == pytest.approx(-1)
    assert circular_correlation(true, (true + 1.0) % TURN - TURN) == pytest.approx(1)
    assert abs(circular_correlation(true, other)) < 4 / np.sqrt(400)  # four deviations of chance
    noisy = circular_correlation(true, true + draw.normal(0, 0.5, 400))
    assert noisy == pytest.approx(np.sqrt(0.5), abs=0.1)  # of equal variances, for small angles


def test_what_is_known_of_nothing() -> None:
    even = (np.arange(360) + 0.5) / 360
    around = plain_distances(even * TURN, low=0.0, high=TURN)
    # 720 and 360 even azimuths lie a quarter of a degree apart at most.
    assert around["point_w1"] == pytest.approx(90, abs=0.3) and max(around["around_w1"], around["between_w1"]) < 0.3
    quarter = plain_distances(1.0 + even * TURN / 4, low=0.0, high=TURN / 4)  # the best turn does not count
    assert quarter["point_w1"] == pytest.approx(22.5, abs=0.3) and quarter["between_w1"] < 0.3
    two = plain_distances(np.array([0.0, 0.0, 0.0, 1.0]), low=0.0, high=1.0)
    assert two["point_w1"] == pytest.approx(np.degrees(0.25), abs=0.01)  # three stay, one goes the whole way


def test_divergence_of_known_histograms() -> None:
    all_bins, half = np.arange(36) * 10 + 5.0, np.tile(np.arange(18) * 10 + 5.0, 2)
    span = {"low": 0.0, "high": 360.0}
    assert divergence(half, all_bins, **span) == pytest.approx(np.log(2), abs=1e-3)
    assert divergence(half, half[:18], **span) == pytest.approx(0, abs=1e-12)
    missing = divergence(all_bins, half, **span, smallest=1e-6)
    assert missing == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(1 / 36 / 1e-6), rel=1e-3)
    assert divergence(all_bins, half, **span, smallest=1e-9) > missing + 3
    assert divergence(all_bins, np.full(5, 400.0), **span) == divergence(all_bins, np.full(5, 359.0), **span)


def test_all_distances_of_poses() -> None:
    draw = np.random.default_rng(0)
    true = np.stack((draw.uniform(0, TURN, 4000), draw.normal(0.3, 0.1, 4000)), axis=1)
    same = np.stack((draw.uniform(0, TURN, 4000), draw.normal(0.3, 0.1, 4000)), axis=1)
    collapsed = np.stack((draw.normal(1.0, 0.1, 4000), true[:, 1] + np.radians(12)), axis=1)
    good, bad = pose_distances(true, same), pose_distances(true, collapsed)
    assert good["azimuth_kl"] < 0.02 and good["elevation_kl"] < 0.02 and good["azimuth_w1"] < 3
    assert bad["azimuth_kl"] > 5 and bad["azimuth_w1"] > 80
    assert bad["elevation_w1"] == pytest.approx(12, abs=1e-6)
    turned = true - [0.5, 0.0]
    assert pose_distances(true[:300], turned[:300])["azimuth_offset"] == pytest.approx(np.degrees(0.5), abs=0.1)
    raw = pose_distances(collapsed, collapsed - [0.5, 0.0], align=False)
    assert raw["azimuth_w1"] == pytest.approx(np.degrees(0.5), abs=1e-6) and "azimuth_offset" not in raw


def test_poses_that_are_none_are_refused() -> None:
    poses = np.zeros((3, 2))
    with pytest.raises(InputError, match="1 of 3 poses are not finite"):
        pose_distances(poses, np.array([[0, 0], [np.nan, 0], [1, 1]]))
    with pytest.raises(InputError, match="no poses"):
        circular_wasserstein(np.zeros(0), np.zeros(3))


def test_depth_errors_with_and_without_scale() -> None:
    true = np.linspace(1, 2, 20).reshape(4, 5)
    mask = np.ones((4, 5), dtype=bool)
    assert depth_error(true + 0.1, true, mask, align="none") == pytest.approx(0.01)
    assert depth_error(3 * true - 7, true, mask, align="scale") == pytest.approx(0, abs=1e-20)
    assert depth_error(3 * true - 7, true, mask, align="standard") == pytest.approx(0, abs=1e-20)
    assert depth_error(-true, true, mask, align="standard") == pytest.approx(4)
    assert depth_error(np.full((4, 5), 3.0), true, mask, align="standard") == pytest.approx(1)
    wrong = true.copy()
    wrong[0] = 50
    mask[0] = False
    assert depth_error(wrong, true, mask, align="none") == 0
    with pytest.raises(InputError, match="at least 2"):
        depth_error(true, true, np.zeros((4, 5), dtype=bool), align="none")
