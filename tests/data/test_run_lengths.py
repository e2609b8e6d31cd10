"""Masks in COCO's run lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monoform.data.categories.run_lengths import RunLengthMask


def test_runs_go_down_the_columns_and_are_written_in_letters() -> None:
    """By hand from the format: 16 needs two letters, and from the fourth run on differences are written."""
    assert RunLengthMask.of(np.array([[0, 1], [1, 0]])).counts == b"121"
    assert RunLengthMask.of(np.ones((2, 2))).counts == b"04"
    assert RunLengthMask.of(np.zeros((16, 1))).counts == b"`0"
    row = np.array([[0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0]])  # runs 2 3 1 1 4: the last two as 1 - 3 and 4 - 1
    assert RunLengthMask.of(row).counts == b"231N3"
    assert np.array_equal(RunLengthMask(1, 11, b"231N3").pixels(), row)
    assert RunLengthMask.parsed({"size": [1, 11], "counts": [2, 3, 1, 1, 4]}).counts == b"231N3"
    assert RunLengthMask.parsed({"size": (1, 11), "counts": "231N3"}) == RunLengthMask.of(row)


@given(st.integers(1, 40), st.integers(1, 90), st.integers(0, 1 << 30), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_a_mask_comes_back(height: int, width: int, seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    assert np.array_equal(RunLengthMask.of(mask).pixels(), mask)


@pytest.mark.parametrize("counts", [b"", b"3", b"5", b"1N4", b"`", b"\xff", b"````````1", b"4\n"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: bytes) -> None:
    with pytest.raises(ValueError, match="its mask"):
        RunLengthMask(2, 2, counts).pixels()
