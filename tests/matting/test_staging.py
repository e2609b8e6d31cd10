"""What is staged in training pictures: backgrounds from a folder, light, thin parts, what stands in front."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.matting.test_composites import source

from monoform import InputError
from monoform.matting.composites import compose
from monoform.matting.staging import PhotoBackgrounds, dressed, lit, sunk, with_blades, with_hand, with_thin_part


def disc() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:96, :96]
    alpha = (np.hypot(rows - 40, columns - 48) < 24).astype(np.float32)
    return alpha[..., None] * np.float32([0.2, 0.4, 0.9]), alpha


def folder_of(tmp_path, *colors):
    for index, color in enumerate(colors):
        Image.new("RGB", (64, 48), color).save(tmp_path / f"{index}.png")
    return tmp_path


def test_backgrounds_come_from_the_folder_or_are_drawn(tmp_path):
    backdrop = PhotoBackgrounds(folder_of(tmp_path, (10, 200, 30)))
    made = [backdrop(np.random.default_rng(seed), 40, 30)[0] for seed in range(60)]
    assert all(picture.shape == (30, 40, 3) for picture in made)
    shown = [np.abs(picture * 255 - (10, 200, 30)).max() < 1 for picture in made]
    assert 16 < sum(shown) < 40  # two thirds are photographs, of which three in ten are seen behind another ground
    parts = [backdrop.part(np.random.default_rng(seed), 40, 30) for seed in range(20)]
    assert all(np.abs(part * 255 - (10, 200, 30)).max() < 1 for part in parts)


def test_a_photograph_on_an_object_keeps_its_outline_and_its_shading():
    rgba = np.full((16, 16, 4), 255, np.uint8)
    rgba[..., :3], rgba[8:, :, :3], rgba[:, :4, 3] = 200, 100, 0
    cloth = np.zeros((16, 16, 3), np.float32) + np.float32([0.1, 0.5, 0.2])
    made = np.stack([dressed(np.random.default_rng(seed), rgba, cloth) for seed in range(20)]).astype(float)
    assert (made[..., 3] == rgba[..., 3]).all()
    assert (made[:, :8, 4:, 1] > 1.3 * made[:, 8:, 4:, 1]).all()
    assert made[..., 1].mean() > 1.2 * made[..., 0].mean()
    assert np.array_equal(dressed(np.random.default_rng(0), 0 * rgba, cloth), 0 * rgba)


def test_the_foot_of_an_object_sinks_into_the_ground():
    rgb, alpha = disc()
    ground = np.full_like(rgb, 0.7)
    made = [sunk(np.random.default_rng(seed), rgb, alpha, ground) for seed in range(10)]
    for picture, left in made:
        assert (left <= alpha).all() and left[:40].sum() > 0.97 * alpha[:40].sum()
        gone = (alpha == 1) & (left < 1e-3)
        np.testing.assert_allclose(picture[gone], 0.7, atol=2e-3)
    assert sum((alpha - left).sum() > 20 for _, left in made) > 6


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="no picture"):
        PhotoBackgrounds(tmp_path)


def test_the_light_of_a_red_picture_is_red():
    rgba = np.full((8, 8, 4), 128, np.uint8)
    picture = np.zeros((8, 8, 3), np.float32) + np.float32([0.8, 0.2, 0.2])
    made = np.stack([lit(np.random.default_rng(seed), rgba, picture) for seed in range(20)]).astype(float)
    assert made[..., 0].mean() > 1.1 * made[..., 1].mean()
    assert (made[..., 3] == 128).all()


def test_a_thin_part_is_added_and_nothing_is_taken_away():
    covered, alpha = disc()
    grown = [with_thin_part(np.random.default_rng(seed), covered, alpha) for seed in range(20)]
    assert all((new >= alpha).all() and new.max() <= 1 for _, new in grown)
    assert all(np.array_equal(rgb[alpha == 1], covered[alpha == 1]) for rgb, _ in grown)
    assert sum(bool((new > alpha + 0.5).any()) for _, new in grown) > 12


@pytest.mark.parametrize("before", [with_hand, lambda rng, rgb, alpha: with_blades(rng, rgb, alpha, 0.5 + 0 * rgb)])
def test_what_stands_in_front_is_not_the_object(before):
    rgb, alpha = disc()
    made = [before(np.random.default_rng(seed), rgb, alpha) for seed in range(10)]
    for picture, left in made:
        assert (left <= alpha).all() and left.min() >= 0
        assert np.allclose(picture[(left == alpha) & (alpha == 1)], rgb[(left == alpha) & (alpha == 1)])
    assert any((left < alpha - 0.5).any() for _, left in made)


def test_a_staged_picture_is_a_function_of_its_seed(tmp_path):
    backdrop = PhotoBackgrounds(folder_of(tmp_path, (10, 200, 30), (90, 90, 90)))
    for seed in range(12):
        first, again = (compose(np.random.default_rng(seed), source, size=48, backdrop=backdrop) for _ in range(2))
        assert np.array_equal(first.rgb, again.rgb) and np.array_equal(first.alpha, again.alpha)
        assert first.alpha.min() >= 0 and first.alpha.max() <= 1 and np.isfinite(first.rgb).all()
