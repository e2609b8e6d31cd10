"""Masks without a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pictures import disc, mug

from monoform import InputError, Photo
from monoform.matting import grabcut_mask, segment
from monoform.matting.grabcut import content_box
from monoform.matting.guided import guided_filter
from monoform.metrics import mask_iou


@pytest.mark.parametrize("picture", [disc, mug])
def test_drawn_objects_are_found(picture):
    rgb, mask = picture()
    assert mask_iou(grabcut_mask(rgb) > 0.5, mask > 0.5) > 0.93


def test_the_same_photo_gives_the_same_mask():
    rgb, _ = mug()
    np.testing.assert_array_equal(grabcut_mask(rgb), grabcut_mask(rgb))


def test_bars_around_a_picture_are_left_out():
    rgb, mask = mug()
    barred = np.zeros((340, 320, 3), np.float32)
    barred[50:290] = rgb
    left, top, right, bottom = content_box(barred)
    assert (left, right) == (0, 320)
    assert 50 <= top <= 54 and 286 <= bottom <= 290
    found = grabcut_mask(barred) > 0.5
    assert mask_iou(found[50:290], mask > 0.5) > 0.93
    assert not found[:50].any() and not found[290:].any()


def test_a_plain_background_is_no_bar():
    rgb, _ = disc()
    assert content_box(rgb) == (0, 0, 160, 120)


def test_a_photo_of_nothing_is_refused():
    with pytest.raises(InputError, match="No object"):
        segment(Photo.open(np.full((100, 100, 3), 0.5)), backend="grabcut")


def test_a_known_mask_is_kept_and_unknown_backends_are_named():
    rgb, mask = disc()
    photo = Photo.open(rgb, mask=mask)
    assert segment(photo) is photo
    with pytest.raises(InputError, match="choose one of auto, rembg, grabcut"):
        segment(photo, backend="magic")
    found = segment(Photo.open(rgb), backend="grabcut")
    assert found.mask_origin == "grabcut" and "mask.png" in found.notices[0]


def test_rembg_is_used_when_it_is_there_and_asked_for_when_it_is_not(monkeypatch):
    import sys
    import types

    rgb, mask = disc()
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(InputError, match=r"pip install 'monoform\[matting\]'"):
        segment(Photo.open(rgb), backend="rembg")
    fake = types.ModuleType("rembg")
    fake.new_session = lambda model: model
    fake.remove = lambda image, session, only_mask: np.round(mask * 255).astype(np.uint8)
    monkeypatch.setitem(sys.modules, "rembg", fake)
    found = segment(Photo.open(rgb), backend="rembg")
    assert found.mask_origin == "rembg"
    np.testing.assert_allclose(found.mask, mask, atol=0.003)


def test_guided_filter_keeps_what_is_linear_in_the_colors():
    rng = np.random.default_rng(0)
    guide = rng.random((40, 50, 3)).astype(np.float32)
    linear = (guide @ np.array([0.2, -0.5, 0.9]) + 0.1).astype(np.float32)
    np.testing.assert_allclose(guided_filter(guide, linear, radius=4, epsilon=1e-8), linear, atol=1e-4)
    noise = rng.random((40, 50)).astype(np.float32)
    flat = np.full((40, 50, 3), 0.5, np.float32)
    # A flat guide has no edges to follow: what is left is the mean of means.
    smooth = guided_filter(flat, noise, radius=4, epsilon=1e-3)
    np.testing.assert_allclose(smooth, cv2.blur(cv2.blur(noise, (9, 9)), (9, 9)), atol=1e-4)
