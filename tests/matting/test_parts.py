"""Parts of objects in training pictures: frames, openings, parts in other colors."""

from __future__ import annotations

import numpy as np
from tests.matting.test_composites import ball
from tests.matting.test_staging import disc

from monoform.matting.parts import pierced, repainted, with_frame

PICTURE = np.zeros((20, 30, 3), np.float32) + np.float32([0.1, 0.7, 0.3])


def test_a_frame_is_added_and_nothing_is_taken_away():
    covered, alpha = disc()
    grown = [with_frame(np.random.default_rng(seed), covered, alpha) for seed in range(20)]
    for rgb, new in grown:
        assert (new >= alpha).all() and new.max() <= 1 and np.isfinite(rgb).all()
        assert (rgb <= new[..., None] + 1e-5).all()  # colors stay multiplied by coverage
        assert np.array_equal(rgb[alpha == 1], covered[alpha == 1])
    assert sum((new > alpha + 0.5).sum() > 20 for _, new in grown) > 12


def test_openings_are_taken_out_of_the_object_and_its_colors_stay():
    rgba = ball()
    made = [pierced(np.random.default_rng(seed), rgba) for seed in range(20)]
    assert all((each[..., 3] <= rgba[..., 3]).all() for each in made)
    assert all(np.array_equal(each[..., :3], rgba[..., :3]) for each in made)
    gone = [1 - each[..., 3].sum(dtype=float) / rgba[..., 3].sum(dtype=float) for each in made]
    assert min(gone) > 0.001 and 0.02 < np.median(gone) < 0.4


def test_repainted_parts_keep_the_outline_and_take_colors_of_the_picture():
    rgba = ball()
    made = np.stack([repainted(np.random.default_rng(seed), rgba, PICTURE) for seed in range(30)])
    assert (made[..., 3] == rgba[..., 3]).all()
    inside = rgba[..., 3] == 255
    changed = (np.abs(made[..., :3].astype(int) - rgba[..., :3]).max(axis=3) > 20)[:, inside].mean(axis=1)
    assert 0.1 < changed.mean() < 0.8
    green = (made[..., 1].astype(int) > made[..., 0].astype(int) + 30)[:, inside].mean(axis=1)
    assert (green > 0.02).sum() > 5  # the ball itself is red and yellow


def test_nothing_happens_to_no_object():
    empty = np.zeros((16, 16, 4), np.uint8)
    assert np.array_equal(pierced(np.random.default_rng(0), empty), empty)
    none = np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), np.float32)
    assert all(np.array_equal(a, b) for a, b in zip(with_frame(np.random.default_rng(0), *none), none, strict=True))
