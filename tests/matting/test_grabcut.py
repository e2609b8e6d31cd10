"""Masks without a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.pictures import disc, mug

from monoform import InputError, Photo
from monoform.matting import Hints, grabcut_mask, segment
from monoform.matting.grabcut import content_box, mask_by_cut
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


@pytest.mark.parametrize("odd", [0, 1])
def test_a_picture_of_one_color_is_not_cut(odd, monkeypatch):
    """GrabCut would take a minute for it."""
    rgb = np.full((213, 320, 3), 120 / 255, np.float32)
    rgb[:odd, :odd] = 1

    def labels(small: np.ndarray) -> np.ndarray:
        found = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
        found[80:120, 100:200] = cv2.GC_PR_FGD
        return found

    def asked(*arguments: object) -> None:
        raise AssertionError("GrabCut was asked")

    monkeypatch.setattr(cv2, "grabCut", asked)
    assert not mask_by_cut(rgb, (0, 0, 320, 213), labels, Hints()).any()


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


def openwork() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dark disc with a frame of two-pixel bars beside it, and a dark stone farther off: colors and both masks."""
    rows, columns = np.mgrid[:200, :300]
    disc = np.hypot(rows - 100, columns - 90) < 50
    frame = np.zeros_like(disc)
    frame[80:82, 138:220], frame[120:122, 138:220], frame[80:122, 218:220] = True, True, True
    stone = np.hypot(rows - 100, columns - 265) < 18
    rgb = np.where((disc | frame | stone)[..., None], 0.1, 0.8).astype(np.float32)
    return np.repeat(rgb, 3, axis=2), disc | frame, stone


def cut_of(probability: np.ndarray, hints: Hints) -> np.ndarray:
    rgb, thing, stone = openwork()

    def labels(small: np.ndarray) -> np.ndarray:
        assert small.shape == rgb.shape
        return np.where(thing | stone, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)

    return mask_by_cut(rgb, (0, 0, 300, 200), labels, hints, probability) > 0.5


def test_thin_and_loose_parts_are_kept_where_they_are_probable():
    _, thing, stone = openwork()
    seen = np.where(thing, 0.8, np.where(stone, 0.2, 0.05)).astype(np.float32)
    mask = cut_of(seen, Hints())
    assert mask[80:122, 150:220][thing[80:122, 150:220]].mean() > 0.9 and not mask[stone].any()
    both = cut_of(np.where(thing | stone, 0.8, 0.05).astype(np.float32), Hints())
    assert both[stone].all()


def test_points_alone_say_which_parts_are_kept():
    _, thing, stone = openwork()
    seen = np.where(thing | stone, 0.8, 0.05).astype(np.float32)
    assert not cut_of(seen, Hints(points=((90.0, 100.0),)))[stone].any()
    assert not cut_of(seen, Hints(not_points=((265.0, 100.0),)))[stone].any()
