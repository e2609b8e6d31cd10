"""Photos framed as training pictures: geometry of the square, borders, masks, and the crop that leads back."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monoform.errors import InputError
from monoform.methods.pixelnerf.photos import PhotoFrame, normalize_photo, outline_ellipse, square_around
from monoform.scene import Photo


def photo_of_ellipse(
    width: int = 200, height: int = 140, axes: tuple[int, int] = (40, 20), angle: float = 20.0
) -> Photo:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), axes, angle, 0, 360, 255, -1)
    rgb = np.full((height, width, 3), (30, 60, 90), np.uint8)
    rgb[mask > 0] = (200, 100, 50)
    return Photo.open(rgb, mask=mask)


@settings(max_examples=30)
@given(st.integers(12, 60), st.integers(12, 60), st.floats(0, 180))
def test_the_square_follows_the_axes(first: int, second: int, angle: float) -> None:
    photo = photo_of_ellipse(300, 300, (first, second), angle)
    assert photo.mask is not None
    ellipse = outline_ellipse(np.rint(255 * photo.mask).astype(np.uint8))
    assert max(abs(ellipse[0] - 150), abs(ellipse[1] - 150)) < 1.5
    assert abs(min(ellipse[2:4]) - 2 * min(first, second)) < 4 and abs(max(ellipse[2:4]) - 2 * max(first, second)) < 4
    left, top, side = square_around(ellipse, PhotoFrame())
    asked = max(4.37 * min(ellipse[2:4]), 0.8 * max(ellipse[2:4]))
    assert asked <= side < asked + 2 and side % 2 == 0
    assert (left, top) == (round(ellipse[0]) - side // 2, round(ellipse[1]) - side // 2)


def test_the_result_is_the_object_over_white_in_the_middle() -> None:
    framed = normalize_photo(photo_of_ellipse())
    assert framed.size == (128, 128) and framed.mask is not None
    inside, outside = framed.mask == 1, framed.mask == 0
    assert np.allclose(framed.rgb[outside], 1.0) and np.allclose(
        framed.rgb[inside], np.array([200, 100, 50]) / 255, atol=0.01
    )
    rows, columns = np.nonzero(framed.mask > 0.5)
    assert abs(rows.mean() - 63.5) < 1.5 and abs(columns.mean() - 63.5) < 1.5
    # The shorter axis (40 pixels) is 1 / 4.37 of the side.
    assert math.isclose(framed.crop[2], 4.37 * 40, rel_tol=0.05) and framed.crop[2] == framed.crop[3]
    assert math.isclose(framed.crop[0] + 0.5 * framed.crop[2], 100, abs_tol=1.5)


def test_the_crop_leads_back_to_the_original_of_a_reduced_photo() -> None:
    small = photo_of_ellipse()
    large = np.kron((255 * small.rgb).astype(np.uint8), np.ones((3, 3, 1), np.uint8))
    assert small.mask is not None
    mask = np.kron((255 * small.mask).astype(np.uint8), np.ones((3, 3), np.uint8))
    framed = normalize_photo(Photo.open(large, mask=mask, working_side=200))
    np.testing.assert_allclose(framed.crop, 3 * np.array(normalize_photo(small).crop), rtol=0.05, atol=6)


def test_each_option_changes_something() -> None:
    photo = photo_of_ellipse()
    plain = normalize_photo(photo)
    assert normalize_photo(photo, PhotoFrame(size=32)).size == (32, 32)
    assert normalize_photo(photo, PhotoFrame(minor_scale=6.0)).crop[2] > plain.crop[2]
    assert normalize_photo(photo, PhotoFrame(major_scale=4.0)).crop[2] > plain.crop[2]
    assert photo.mask is not None
    specked = photo.mask.copy()
    specked[130:137, 3:10] = 1.0  # lower in the picture: OpenCV finds it first
    spotted = photo.with_mask(specked, "file")
    first = normalize_photo(spotted, PhotoFrame(largest_outline=False)).crop
    assert first[2] < 50 and math.isclose(normalize_photo(spotted).crop[2], plain.crop[2])


def test_a_square_mask_has_few_corners_and_is_fine() -> None:
    photo = photo_of_ellipse()
    mask = np.zeros((140, 200), np.float32)
    mask[50:90, 80:120] = 1
    assert math.isclose(normalize_photo(photo.with_mask(mask, "file")).crop[2], 4.37 * 40, rel_tol=0.2)


@pytest.mark.parametrize("kind", ["none", "empty", "dot", "line"])
def test_useless_masks_are_refused(kind: str) -> None:
    photo = photo_of_ellipse()
    mask = np.zeros((140, 200), np.float32)
    if kind == "dot":
        mask[5, 5] = 1
    if kind == "line":
        mask[70, 20:180] = 1
        mask[69, 20] = 1
    given_photo = Photo.open(photo.rgb) if kind == "none" else photo.with_mask(mask, "file")
    with pytest.raises(InputError, match=r"mask"):
        normalize_photo(given_photo)


@pytest.mark.parametrize("words", [{"size": 0}, {"minor_scale": -1.0}, {"major_scale": float("nan")}])
def test_impossible_frames_are_refused(words: dict) -> None:
    with pytest.raises(InputError, match="must be positive"):
        PhotoFrame(**words)
