"""Intervals of differences and ratios between methods that were measured on the same objects."""

from __future__ import annotations

import numpy as np
import pytest

from monoform.metrics.paired import difference_of_means, ratio_of_means


def test_what_is_the_same_for_all_objects_is_sure() -> None:
    theirs = np.random.default_rng(0).uniform(0.2, 0.9, 40)
    gap, ratio = difference_of_means(theirs + 0.1, theirs), ratio_of_means(1.25 * theirs, theirs)
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1))
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.25, 1.25, 1.25))


def test_the_interval_is_that_of_the_mean_of_normal_gaps() -> None:
    gaps = np.random.default_rng(1).normal(0.3, 1.0, 400)
    found = difference_of_means(gaps, np.zeros(400))
    error = gaps.std() / np.sqrt(len(gaps))
    assert found.value == pytest.approx(gaps.mean())
    assert (found.low, found.high) == pytest.approx((found.value - 1.96 * error, found.value + 1.96 * error), abs=0.01)


def test_of_one_object_there_is_one_draw() -> None:
    found = ratio_of_means(np.array([0.6]), np.array([0.5]))
    assert (found.value, found.low, found.high) == pytest.approx((1.2, 1.2, 1.2))
    assert str(found) == "1.2000 (1.2000 to 1.2000)"
