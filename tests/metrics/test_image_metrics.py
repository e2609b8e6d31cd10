"""Image metrics against loops, and against another library."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchmetrics.functional.image
from hypothesis import given
from hypothesis import strategies as st

from monoform import InputError
from monoform.metrics import mask_iou, psnr, ssim
from monoform.metrics.image import ssim_map


def pictures(seed: int, shape: tuple[int, ...] = (12, 14, 3)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.random(shape)
    return np.clip(reference + 0.2 * rng.standard_normal(shape), 0, 1).astype(np.float32), reference.astype(np.float32)


def naive_ssim(image: np.ndarray, reference: np.ndarray, data_range: float) -> float:
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for channel in range(image.shape[2]):
        for row in range(image.shape[0] - 6):
            for column in range(image.shape[1] - 6):
                x = image[row : row + 7, column : column + 7, channel].astype(np.float64).ravel()
                y = reference[row : row + 7, column : column + 7, channel].astype(np.float64).ravel()
                mx, my = x.mean(), y.mean()
                vx, vy = x.var(ddof=1), y.var(ddof=1)
                cov = ((x - mx) * (y - my)).sum() / 48
                values.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(values))


@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_ssim_equals_the_window_by_window_sum(data_range: float) -> None:
    image, reference = (data_range * x for x in pictures(0))
    assert ssim(image, reference, data_range=data_range) == pytest.approx(
        naive_ssim(image, reference, data_range), abs=1e-9
    )


def test_the_map_of_ssim_knows_where_images_differ() -> None:
    image = np.random.default_rng(0).uniform(size=(30, 40, 3))
    other = image.copy()
    other[:, 30:] = 1 - other[:, 30:]
    found = ssim_map(image, other)
    assert found.shape == image.shape and found[:, :27] == pytest.approx(1.0) and found[:, 34:].max() < 0


@given(st.integers(0, 1000), st.sampled_from([1.0, 255.0]))
def test_psnr_equals_the_formula_and_torchmetrics(seed: int, data_range: float) -> None:
    image, reference = pictures(seed)
    total = 0.0
    for a, b in zip(image.ravel().tolist(), reference.ravel().tolist(), strict=True):
        total += (a - b) ** 2
    expected = 20 * math.log10(data_range) - 10 * math.log10(total / image.size)
    assert psnr(image, reference, data_range=data_range) == pytest.approx(expected, abs=1e-9)
    theirs = torchmetrics.functional.image.peak_signal_noise_ratio(
        torch.from_numpy(image).double(), torch.from_numpy(reference).double(), data_range=data_range
    )
    assert psnr(torch.from_numpy(image), torch.from_numpy(reference), data_range=data_range) == pytest.approx(
        float(theirs), abs=1e-5
    )


def test_equal_images_are_perfect_and_noise_makes_worse() -> None:
    image, reference = pictures(1)
    assert psnr(reference, reference) == math.inf
    assert ssim(reference, reference) == pytest.approx(1.0)
    nearer = 0.5 * (image + reference)
    assert psnr(nearer, reference) > psnr(image, reference)
    assert ssim(nearer, reference) > ssim(image, reference)


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(InputError, match="14 x 6"):
        ssim(*pictures(0, (6, 14, 3)))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_mask_iou_counts_pixels(pairs: list[tuple[bool, bool]]) -> None:
    a, b = (np.array([column]) for column in zip(*pairs, strict=True))
    both = sum(x and y for x, y in pairs)
    either = sum(x or y for x, y in pairs)
    assert mask_iou(a, b) == (both / either if either else 1.0)
    assert mask_iou(torch.from_numpy(b), torch.from_numpy(a)) == mask_iou(a, b)
