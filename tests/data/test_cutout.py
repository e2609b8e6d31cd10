"""Square cut-outs of photos, on pictures whose result is known."""

from __future__ import annotations

import numpy as np
import pytest

from monoform.data.images.cutout import cut_out
from monoform.errors import InputError
from monoform.scene import Photo


def photo(height: int = 40, width: int = 64) -> Photo:
    """A red object, 24 by 24 pixels, before a green background."""
    rgb, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    rgb[..., 1] = 255
    rgb[8:32, 16:40] = (255, 0, 0)
    mask[8:32, 16:40] = 255
    return Photo.open(rgb, mask=mask)


def test_the_photo_is_in_the_middle_of_the_square() -> None:
    cut = cut_out(photo(), 64)
    assert cut.image.shape == (64, 64, 3) and cut.rgba.shape == (64, 64, 4)
    assert (cut.image[:12] == 0).all() and (cut.image[52:] == 0).all()
    assert np.allclose(cut.image[20:44, 16:40], (1, 0, 0)) and np.allclose(cut.mask[20:44, 16:40], 1)
    assert cut.mask.sum() == pytest.approx(24 * 24) and np.allclose(cut.image[12:52, :16], (0, 1, 0))


@pytest.mark.parametrize("size", [16, 20, 32])
def test_the_background_does_not_bleed_into_the_object(size: int) -> None:
    cut = cut_out(photo(), size)
    seen = cut.rgba[..., 3] > 1e-3
    assert np.allclose(cut.rgba[seen][:, :3], (1, 0, 0), atol=1e-4)
    assert cut.mask.mean() == pytest.approx((24 / 64) ** 2, rel=0.02), "coverage is kept by averaging"


def test_the_published_way_skips_pixels_and_keeps_the_shape() -> None:
    cut = cut_out(photo(), 20, published=True)
    assert cut.rgba.shape == (40, 64, 4) and set(np.unique(cut.mask)) == {0.0, 1.0}
    assert np.allclose(cut.rgba[0, 0], (0, 1, 0, 0)), "colors below what is transparent stay"


def test_what_cannot_be_cut_is_a_sentence() -> None:
    with pytest.raises(InputError, match="has no mask"):
        cut_out(Photo.open(np.zeros((32, 32, 3), np.uint8)), 32)
    with pytest.raises(InputError, match="size of a cut-out is 5"):
        cut_out(photo(), 5)
