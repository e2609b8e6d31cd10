"""Training pictures of the matting network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monoform.matting.backgrounds import background, noise
from monoform.matting.composites import batch, compose, photographed, placed


def ball(side: int = 96, radius: float = 30.0) -> np.ndarray:
    """A shaded ball with a stripe, as uint8 RGBA, antialiased, a little off the middle."""
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    distance = np.hypot(columns - 0.55 * side, rows - 0.45 * side)
    alpha = np.clip(radius - distance + 0.5, 0, 1)
    shade = np.clip(1 - 0.6 * (distance / radius) ** 2, 0, 1)[..., None]
    rgb = shade * np.where((columns // 9 % 2 > 0)[..., None], (0.9, 0.3, 0.1), (0.8, 0.7, 0.2))
    return np.round(np.concatenate((rgb, alpha[..., None]), axis=2) * 255).astype(np.uint8)


def source(rng: np.random.Generator) -> np.ndarray:
    return ball(radius=float(rng.uniform(15, 40)))


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_a_placed_disc_lies_where_it_was_put_and_has_its_area(scale, turn):
    made = placed(ball(radius=30), 160, 150, center=(70.3, 80.8), scale=scale, turn=turn)
    area = float(made.alpha.sum())
    assert area == pytest.approx(np.pi * (30 * scale) ** 2, rel=0.01)
    rows, columns = np.mgrid[0:150, 0:160] + 0.5
    # The box of the disc has whole pixels: its middle is within half a pixel of the disc's.
    assert float((columns * made.alpha).sum()) / area == pytest.approx(70.3, abs=0.6 * scale)
    assert float((rows * made.alpha).sum()) / area == pytest.approx(80.8, abs=0.6 * scale)


def test_a_turn_is_clockwise_in_the_picture_as_its_axes_are():
    bar = np.zeros((64, 64, 4), np.uint8)
    bar[28:36, 8:32] = 255
    bar[30:34, 32:56] = 255  # thick on the left, thin on the right
    turned = placed(bar, 64, 64, center=(32, 32), scale=1.0, turn=np.pi / 2).alpha
    assert turned[:32].sum() > 1.8 * turned[32:].sum()  # +x, the thin half, now points down


def test_the_object_in_front_is_what_the_mask_says():
    made = placed(ball(), 120, 100, center=(60, 50), scale=1.1, turn=0.3)
    black, white = made.over(np.zeros((100, 120, 3), np.float32)), made.over(np.ones((100, 120, 3), np.float32))
    # Coverage is what a white ground loses against a black one (triangulation matting, Smith and Blinn 1996).
    np.testing.assert_allclose(1 - (white - black), np.repeat(made.alpha[..., None], 3, axis=2), atol=1e-6)


def test_the_mask_agrees_with_the_picture_whatever_lies_behind():
    """Two pictures that differ in the object's colours only: they differ where the mask is, and there alone."""

    def colored(value: int):
        def of(rng: np.random.Generator) -> np.ndarray:
            rng.random()
            made = ball(radius=30)
            made[..., :3] = value
            return made

        return of

    seen = 0
    for seed in range(60):
        first = compose(np.random.default_rng(seed), colored(40), size=64, camera=False)
        other = compose(np.random.default_rng(seed), colored(200), size=64, camera=False)
        np.testing.assert_array_equal(first.alpha, other.alpha)
        differs = np.abs(first.rgb - other.rgb).max(axis=2) > 1e-4
        solid = first.alpha > 0.05
        if not solid.any() or differs[first.alpha == 0].any():
            continue  # an empty picture, or bystanders and reflections, which have the object's colours too
        seen += 1
        assert differs[solid].mean() > 0.95
    assert seen > 20


def test_the_same_seed_gives_the_same_picture_and_another_another():
    first, again, other = (compose(np.random.default_rng(seed), source, size=96) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.alpha, again.alpha)
    assert first.rgb.shape != other.rgb.shape or np.abs(first.rgb - other.rgb).max() > 0.05


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(16, 120))
def test_every_picture_is_a_picture(seed, size):
    made = compose(np.random.default_rng(seed), source, size=size)
    assert max(made.alpha.shape) == size and made.rgb.shape == (*made.alpha.shape, 3)
    for values in (made.rgb, made.alpha):
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1


def test_pictures_are_of_many_kinds():
    made = [compose(np.random.default_rng(seed), source, size=64) for seed in range(300)]
    areas = np.array([one.alpha.mean() for one in made])
    empty = areas == 0
    assert 0.005 < empty.mean() < 0.08
    assert np.quantile(areas[~empty], 0.1) < 0.18 and np.quantile(areas[~empty], 0.9) > 0.4
    edge = np.array([max(one.alpha[0].max(), one.alpha[-1].max(), one.alpha[:, 0].max()) > 0.5 for one in made])
    assert 0.02 < edge.mean() < 0.35
    light = np.array([one.rgb.mean() for one in made])
    assert light.min() < 0.2 and light.max() > 0.8


def test_a_camera_keeps_a_gray_card_nearly_gray_and_in_range():
    card = np.full((40, 50, 3), 0.5, np.float32)
    for seed in range(30):
        seen = photographed(np.random.default_rng(seed), card)
        means = seen.mean(axis=(0, 1))
        assert seen.shape == card.shape and means.min() > 0.1 and means.max() - means.min() < 0.35


def test_noise_fills_its_range_and_is_smooth_where_it_is_coarse():
    coarse = noise(np.random.default_rng(0), 80, 60, coarse=2, octaves=1)
    fine = noise(np.random.default_rng(0), 80, 60, coarse=16, octaves=3)
    for values in (coarse, fine):
        assert values.shape == (60, 80) and values.min() == 0 and values.max() == pytest.approx(1)
    assert np.abs(np.diff(coarse)).mean() < 0.5 * np.abs(np.diff(fine)).mean()


def test_backgrounds_of_any_small_size():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        width, height = (int(side) for side in rng.integers(8, 70, 2))
        made, _ = background(rng, width, height)
        assert made.shape == (height, width, 3) and np.isfinite(made).all()


def test_a_batch_is_letterboxed_and_says_where_the_photo_is():
    generator = torch.Generator().manual_seed(3)
    inputs, masks, inside = batch(generator, source, 12, 48)
    assert inputs.shape == (12, 5, 48, 48) and masks.shape == inside.shape == (12, 48, 48)
    assert bool((masks * (1 - inside) == 0).all())
    # Inside is where both places lie in -1..1.
    assert torch.equal(inside > 0, (inputs[:, 3:].abs() < 1).all(dim=1))
    assert (inside.mean(dim=(1, 2)) < 0.9).any() and (inside.amin(dim=(1, 2)) == 1).any()
    again = batch(torch.Generator().manual_seed(3), source, 12, 48)
    assert all(torch.equal(a, b) for a, b in zip((inputs, masks, inside), again, strict=True))


def test_cv2_reads_back_what_the_camera_stores():
    # The channel order of the JPEG step must not swap red and blue.
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 0.8
    for seed in range(20):
        seen = photographed(np.random.default_rng(seed), red).mean(axis=(0, 1))
        assert seen[0] > 0.4 and seen[0] > 3 * max(seen[1], seen[2])
    assert cv2.IMREAD_COLOR == 1
