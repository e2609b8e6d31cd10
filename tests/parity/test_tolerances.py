"""A tolerance lets pass what it allows and nothing else, for every word that manifests use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.parity.tolerances import differing_share, tolerance_of

TEN = np.arange(1.0, 11.0)
ROWS = np.stack([TEN, 100 * TEN])


@pytest.mark.parametrize(
    ("asked", "golden", "change", "share"),
    [
        ({"abs": 0.1}, TEN, 0.05, 0.5),
        ({"rel": 0.1}, TEN, 0.05 * TEN, 0.5),
        ({"abs": 0.1, "rel": 0.1}, TEN, 0.05 + 0.05 * TEN, 0.5),
        ({"rel_max": 0.01}, TEN, 0.05, 0.5),
        ({"rel_norm": 0.1}, TEN, 0.05 * TEN, 0.5),
        ({"abs": 1.0, "mean_abs": 0.1}, TEN, 0.05, 0.5),
        ({"rel": 0.1, "later_rel": 0.2}, ROWS, np.array([[0.05], [0.1]]) * ROWS, 0.5),
        ({"rel_max": 0.1, "later_rel_max": 0.2}, ROWS, np.array([[0.5], [100.0]]), 0.5),
        ({"levels": 2}, TEN.astype(np.uint8), 1, 0.5),
        ({"abs": 0.1, "share": 0.8}, TEN, np.array([0.05] * 8 + [9.0] * 2), 0.5),
        ({"abs": 0.1, "share": 0.5, "per": "ray"}, ROWS, np.array([[0.05], [9.0]]), 0.5),
        ({"abs": 0.1, "share": 0.8, "max_abs": 10.0}, TEN, np.array([0.05] * 8 + [5.0] * 2), 0.5),
        ({"exact": True, "count": 4}, TEN.astype(int), np.array([1, 1] + [0] * 8), 0.5),
        ({"exact": True, "count_share": 0.4}, TEN.astype(int), np.array([1, 1] + [0] * 8), 0.5),
        ({"bits_share": 0.1}, TEN.astype(np.uint8), np.array([2] + [0] * 9), 0.125),
        ({"rel": 0.1, "floor_rel_max": 0.5}, TEN, np.where(TEN < 5, 3.0, 0.05 * TEN), 0.5),
        ({"exact": True}, TEN.astype(str), None, 0.0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_half_of_what_is_allowed_passes_and_more_than_all_does_not(
    asked: dict[str, Any], golden: np.ndarray, change: Any, share: float
) -> None:
    if change is None:
        assert differing_share("a", golden, golden, asked) == 0.0
        with pytest.raises(AssertionError):
            differing_share("a", np.char.add(golden, "x"), golden, asked)
        return
    change = np.broadcast_to(np.asarray(change), golden.shape)
    assert differing_share("a", (golden + change).astype(golden.dtype), golden, asked) == pytest.approx(share)
    far = np.where(change == 0, golden.dtype.type(1), 3 * change).astype(golden.dtype)
    with pytest.raises(AssertionError):
        differing_share("a", golden + far, golden, asked)


def test_single_precision_is_known_to_its_last_bit_and_no_further() -> None:
    golden = np.array([1000.0])
    near, far = np.nextafter(np.float32(1000), np.float32(2000)), np.float32(1000.001)
    assert differing_share("a", near[None], golden, {"abs": 1e-9}) <= 1.0
    with pytest.raises(AssertionError):
        differing_share("a", far[None], golden, {"abs": 1e-9})
    with pytest.raises(AssertionError):
        differing_share("a", near[None].astype(np.float64), golden, {"abs": 1e-9})
    with pytest.raises(AssertionError):
        differing_share("a", near[None], golden, {"exact": True})
    assert differing_share("a", far[None], golden, {"abs": 1e-9}, rounding=1e-2) < 0.2


def test_what_is_not_finite_must_be_the_same() -> None:
    golden = np.array([1.0, np.inf, np.nan])
    assert differing_share("a", golden.copy(), golden, {"abs": 1e-3}) == 0.0
    for wrong in ([1.0, np.nan, np.inf], [np.nan, np.inf, np.nan], [1.0, 5.0, np.nan]):
        with pytest.raises(AssertionError):
            differing_share("a", np.array(wrong), golden, {"abs": 1e-3})


def test_the_first_pattern_that_fits_counts() -> None:
    asked = {"a/x": {"abs": 1.0}, "a/*": {"abs": 2.0}, "b?": {"exact": True}}
    assert tolerance_of(asked, "a/x", exact=False) == {"abs": 1.0}
    assert tolerance_of(asked, "a/y", exact=False) == {"abs": 2.0}
    assert tolerance_of(asked, "b1", exact=False) == {"exact": True}
    assert tolerance_of(asked, "c", exact=True) == {"exact": True}
    with pytest.raises(AssertionError, match="no entry for c"):
        tolerance_of(asked, "c", exact=False)


def test_single_words_are_compared_as_a_whole() -> None:
    word = np.array("train")
    assert differing_share("x", np.array("train"), word, {}) == 0
    for other in ("test", "trains"):
        with pytest.raises(AssertionError, match="1 of 1 entries differ"):
            differing_share("x", np.array(other), word, {})
