"""Schedules against their formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoform.errors import InputError
from monoform.training import Constant, Cosine, Steps


def test_warmup_rises_linearly_and_ends_at_one() -> None:
    assert [Constant(4)(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert Constant()(0) == 1.0


def test_cosine_values() -> None:
    schedule = Cosine(110, warmup=10, floor=0.2)
    assert schedule(9) == 1.0 and schedule(10) == 1.0
    assert schedule(60) == pytest.approx(0.6)  # half way: the middle of 1 and the floor
    assert schedule(10 + 25) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.sqrt(0.5)))
    assert schedule(110) == pytest.approx(0.2) and schedule(5000) == pytest.approx(0.2)


def test_steps_values() -> None:
    schedule = Steps((10, 20), factor=0.5, warmup=2)
    assert [schedule(step) for step in (0, 1, 9, 10, 19, 20, 99)] == [0.5, 1, 1, 0.5, 0.5, 0.25, 0.25]


@given(st.integers(0, 500), st.integers(0, 50), st.floats(0, 1))
def test_cosine_stays_in_range_and_falls(step: int, warmup: int, floor: float) -> None:
    schedule = Cosine(200, warmup=warmup, floor=floor)
    assert schedule(step) + 1e-12 > 0 and schedule(step) <= 1 + 1e-12
    if step >= warmup:
        assert schedule(step + 1) <= schedule(step) + 1e-12
        assert schedule(step) >= floor - 1e-12


def test_a_cosine_needs_room_for_its_warmup() -> None:
    with pytest.raises(InputError, match="5 steps has no room for 5 steps of warm-up"):
        Cosine(5, warmup=5)
