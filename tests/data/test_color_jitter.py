"""Colour changes: analytic answers and a plain twin of the hue turn."""

from __future__ import annotations

import colorsys

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from monoform.data.objects.color_jitter import ColorChange, changed_colors, draw_color_change


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 4, 3, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 1000))
def test_no_change_changes_nothing(seed: int) -> None:
    torch.testing.assert_close(changed_colors(pictures(seed), ColorChange()), pictures(seed), atol=1e-6, rtol=0)


@given(st.integers(0, 1000), st.floats(-1.0, 1.0))
def test_hue_turns_as_the_standard_library_says(seed: int, hue: float) -> None:
    images = pictures(seed)
    images[0, 0, :] = torch.tensor([0.5, 0.5, 0.5])  # a grey, black and white have no hue
    images[0, 1, 0], images[0, 1, 1] = 0.0, 1.0
    changed = changed_colors(images, ColorChange(hue=hue))
    for before, after in zip(images.reshape(-1, 3).tolist(), changed.reshape(-1, 3).tolist(), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*before)
        np.testing.assert_allclose(after, colorsys.hsv_to_rgb((h + hue) % 1.0, s, v), atol=2e-5)


def test_each_factor_does_what_it_says_and_stays_in_range() -> None:
    images = pictures(1)
    gray = (images * torch.tensor([0.2989, 0.587, 0.114])).sum(-1, keepdim=True)
    torch.testing.assert_close(changed_colors(images, ColorChange(saturation=0.0)), gray.expand_as(images))
    mean = gray.mean(dim=(1, 2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(changed_colors(images, ColorChange(contrast=0.0)), mean)
    torch.testing.assert_close(changed_colors(images, ColorChange(brightness=0.5)), 0.5 * images)
    strong = changed_colors(images, ColorChange(0.3, 2.0, 1.5, 3.0))
    assert float(strong.min()) >= 0 and float(strong.max()) <= 1


def test_draws_fill_their_ranges_and_follow_the_generator() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = np.array([list(vars(draw_color_change(generator=generator)).values()) for _ in range(300)])
    low, high = np.array([-0.1, 0.9, 0.9, 0.9]), np.array([0.1, 1.1, 1.1, 1.1])
    assert (draws >= low).all() and (draws <= high).all()
    assert (draws.min(axis=0) < low + 0.01).all() and (draws.max(axis=0) > high - 0.01).all()
    assert draw_color_change(generator=torch.Generator().manual_seed(0)).hue == draws[0, 0]
