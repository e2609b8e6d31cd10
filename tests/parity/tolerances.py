"""What a manifest asks of an array, and how far ours is from it: every limit of a check is read from the case."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

EPSILON = float(np.finfo(np.float32).eps)
LIMITS = ("abs", "rel", "rel_max", "rel_norm", "later_rel", "later_rel_max", "mean_abs")
"""Sizes of a difference."""
PARTS = ("share", "per", "max_abs", "count", "count_share", "bits_share", "levels", "floor_rel_max", "exact")
"""How many entries may differ by more, and what is counted."""
WORDS = (
    *("note", "finite", "float32", "near_0_and_180", "set", "surface", "area_rel", "overlap", "pixels"),
    *("up_to_sign", "degrees", "one_sided", "cells", "only_where", "at", "skip"),
)
"""Said to people, or read by the check of that kind."""


def tolerance_of(tolerances: Mapping[str, Mapping[str, Any]], name: str, *, exact: bool) -> Mapping[str, Any]:
    """The first entry whose pattern fits; what is `exact` by nature (integers, booleans, texts) needs none.

    Raises:
        AssertionError: there is none, or it asks for something that no check here knows.
    """
    found = next((asked for pattern, asked in tolerances.items() if fnmatchcase(name, pattern)), None)
    if found is None:
        assert exact, f"tolerances of manifest.json has no entry for {name}"
        return {"exact": True}
    unknown = sorted(set(found) - {*LIMITS, *PARTS, *WORDS})
    assert not unknown, f"tolerances of manifest.json asks {unknown} of {name}, which no check knows"
    return found


def differing_share(
    name: str, ours: np.ndarray, golden: np.ndarray, asked: Mapping[str, Any], *, rounding: float | np.ndarray = 0.0
) -> float:
    """How much of the tolerance our values need: 0 is none, 1 all of it.

    Args:
        rounding: what single precision alone may change on another processor, where less is asked; of all or of each.

    Raises:
        AssertionError: shape or type differ, or the values by more than is asked.
    """
    assert ours.shape == golden.shape, f"{name}: shape {ours.shape}, golden {golden.shape}"
    numbers = golden.dtype.kind in "fc"
    assert (ours.dtype.kind in "fc") == numbers, f"{name}: {ours.dtype}, golden {golden.dtype}"
    if "bits_share" in asked:
        return _judged(name, _bits(ours) != _bits(golden), asked["bits_share"], "bits")
    if "levels" in asked:
        gap = np.abs(ours.astype(np.float64) - golden.astype(np.float64))
        return _shared(name, gap, np.full(gap.shape, float(asked["levels"])), asked)
    if not numbers or not set(asked) & set(LIMITS):
        assert not numbers or asked.get("exact"), f"tolerances of manifest.json says no number for {name}"
        allowed = max(asked.get("count", 0) / max(golden.size, 1), asked.get("count_share", 0.0))
        return _judged(name, ours != golden, allowed, "entries")
    compared = np.isfinite(golden)
    np.testing.assert_array_equal(ours[~compared], golden[~compared], err_msg=name)
    assert np.isfinite(ours[compared]).all(), f"{name}: NaN or infinity where the golden values are finite"
    golden, ours = np.where(compared, golden, 0), np.where(compared, ours, 0)
    gap = np.abs(ours.astype(np.complex128) - golden)
    limits = _limits(golden, asked)
    if limits is not None:
        limits = limits + rounding
        # A number that is held in single precision is known to its last bit, however exact the golden one.
        if ours.dtype == np.float32:
            limits = limits + EPSILON * np.abs(golden)
    if "floor_rel_max" in asked:
        gap = np.where(np.abs(golden) < asked["floor_rel_max"] * np.abs(golden).max(initial=0), 0, gap)
    strain = _whole(name, gap, golden, asked)
    return max(strain, _shared(name, gap, limits, asked)) if limits is not None else strain


def _limits(golden: np.ndarray, asked: Mapping[str, Any]) -> np.ndarray | None:
    """Of every entry; None where only the whole is judged."""
    if not set(asked) & {"abs", "rel", "rel_max", "later_rel", "later_rel_max"}:
        return None
    size = np.abs(golden)

    def limit(part: np.ndarray, rel: float, rel_max: float) -> np.ndarray:
        return asked.get("abs", 0.0) + rel * part + rel_max * part.max(initial=0.0)

    rel, rel_max = asked.get("rel", 0.0), asked.get("rel_max", 0.0)
    if "later_rel" not in asked and "later_rel_max" not in asked:
        return limit(size, rel, rel_max)
    later = limit(size[1:], asked.get("later_rel", rel), asked.get("later_rel_max", rel_max))
    return np.concatenate([limit(size[:1], rel, rel_max), later])


def _whole(name: str, gap: np.ndarray, golden: np.ndarray, asked: Mapping[str, Any]) -> float:
    """Limits on all entries together."""
    strain = 0.0
    if "rel_norm" in asked:
        strain = _within(name, np.linalg.norm(gap), asked["rel_norm"] * np.linalg.norm(np.abs(golden)), "norm")
    if "mean_abs" in asked:
        strain = max(strain, _within(name, gap.mean(), asked["mean_abs"], "mean"))
    return strain


def _shared(name: str, gap: np.ndarray, limits: np.ndarray, asked: Mapping[str, Any]) -> float:
    """Entries, or rows where `per` says so, of which a share must be within."""
    needed = np.divide(gap, limits, out=np.where(gap > 0, np.inf, 0.0), where=limits > 0)
    if "per" in asked:
        assert asked["per"] == "ray", f"{name}: shares are per ray or per entry, not per {asked['per']}"
        needed = needed.reshape(len(needed), -1).max(axis=1)
    needed = np.sort(needed, axis=None)
    most = float(needed[-1]) if len(needed) else 0.0
    allowed = max(1 - asked.get("share", 1.0), asked.get("count_share", 0.0)) * len(needed) + asked.get("count", 0)
    outside = int(np.count_nonzero(needed > 1))
    assert outside <= allowed + 1e-9, (
        f"{name}: {outside} of {len(needed)} outside the tolerance {dict(asked)}, "
        f"largest difference {gap.max():.3e}, {most:.3g} times what is allowed"
    )
    if "max_abs" in asked:
        _within(name, gap.max(initial=0.0), asked["max_abs"], "difference of the others")
    kept = needed[: len(needed) - int(allowed + 1e-9)]
    return float(kept[-1]) if len(kept) else 0.0


def _within(name: str, found: float, allowed: float, what: str) -> float:
    assert found <= allowed, f"{name}: {what} {found:.3e}, allowed {allowed:.3e}"
    return float(found / allowed) if allowed > 0 else 0.0


def _judged(name: str, differing: np.ndarray | bool, allowed: float, what: str) -> float:
    """Single words are compared to a plain bool."""
    count, size = np.count_nonzero(differing), np.size(differing)
    assert count <= allowed * size + 1e-9, f"{name}: {count} of {size} {what} differ"
    return count / (allowed * size) if count else 0.0


def _bits(values: np.ndarray) -> np.ndarray:
    return np.unpackbits(np.ascontiguousarray(values).view(np.uint8))
