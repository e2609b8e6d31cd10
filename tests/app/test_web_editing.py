"""A mask corrected by hand: points and boxes reach the search for it, strokes are what was painted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monoform.app.web.editing import Edited, brushed, clicked, opened, shown, write_mask
from monoform.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> str:
    """Two dark squares on a bright ground, larger than the page shows."""
    image = np.full((600, 1600, 3), 235, np.uint8)
    image[200:400, 200:400] = (150, 40, 30)
    image[200:400, 1200:1400] = (30, 40, 150)
    Image.fromarray(image).save(tmp_path / "two.png")
    return str(tmp_path / "two.png")


def test_clicks_choose_between_objects(photo: str) -> None:
    both = opened(photo, 50)
    assert both.image.shape == (300, 800, 3) and both.scale == 2.0
    waiting = clicked(both, 80, 80, "box")
    assert waiting.corner == (161.0, 161.0) and "opposite corner" in waiting.message
    left = clicked(waiting, 220, 220, "box")
    assert left.hints.box == (161.0, 161.0, 280.0, 280.0) and left.corner is None
    assert left.mask[150, 150] and not left.mask[:, 300:].any()
    assert left.mask.sum() == pytest.approx(100 * 100, rel=0.1)
    picture = shown(left)
    assert (picture[150, 650] < 100).all() and (picture[150, 150] == both.image[150, 150]).all()
    assert clicked(left, 150, 150, "object").hints.points == ((301.0, 301.0),)
    with pytest.raises(InputError, match="outside the box"):
        clicked(left, 650, 150, "object")


def test_strokes_add_and_take_away(photo: str, tmp_path: Path) -> None:
    found = np.zeros((300, 800), bool)
    found[100:200, 100:200] = True
    edited = Edited(photo, np.zeros((300, 800, 3), np.uint8), 2.0, found)
    layer = np.zeros((300, 800, 4), np.uint8)
    layer[120:140, 150:160] = (239, 68, 68, 255)
    layer[100:200, 300:310] = (34, 197, 94, 255)
    painted = brushed(edited, [layer])
    expected = found.copy()
    expected[120:140, 150:160] = False
    expected[100:200, 300:310] = True
    assert (painted.mask == expected).all() and (edited.mask == found).all()
    assert (brushed(painted, [np.zeros_like(layer)]).mask == found).all()
    green = np.where(layer[..., :1] > 200, (34, 197, 94, 255), layer).astype(np.uint8)
    assert brushed(edited, [layer, green]).mask[130, 155]
    write_mask(painted, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as image:
        written = np.asarray(image)
    assert written.shape == (600, 1600) and set(np.unique(written)) == {0, 255}
    assert (written[1::2, 1::2] > 127).mean() == pytest.approx(expected.mean(), rel=0.05)


def test_strokes_outlive_a_click(photo: str) -> None:
    edited = opened(photo, 50)
    added = np.zeros((300, 800), bool)
    added[10:20, 10:20] = True
    again = clicked(replace(edited, added=added), 150, 150, "object")
    assert again.mask[15, 15] and again.hints.points


def test_photos_have_bounds(photo: str) -> None:
    with pytest.raises(InputError, match="million are taken"):
        opened(photo, 0.5)
