"""What is seen in a mask."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pictures import disc

from monoform import InputError
from monoform.scene import read_silhouette


def test_one_whole_object_needs_no_words():
    _, mask = disc()
    seen = read_silhouette(mask)
    assert (seen.parts, seen.cut_by, seen.notices()) == (1, (), ())
    assert seen.area == pytest.approx(np.pi * 40**2 / (160 * 120), rel=0.01)
    np.testing.assert_array_equal(seen.mask, mask)


def test_separate_parts_are_counted_and_specks_are_dropped():
    _, left = disc(radius=20, center=(40, 60))
    _, right = disc(radius=20, center=(120, 60))
    mask = np.maximum(left, right)
    mask[3:5, 3:5] = 1
    seen = read_silhouette(mask)
    assert seen.parts == 2
    assert seen.mask[3, 3] == 0
    assert "2 separate parts" in seen.notices()[0]


def test_pinholes_are_closed_and_holes_are_kept():
    _, mask = disc(radius=50)
    mask[60, 80] = 0
    mask[40:55, 70:90] = 0
    seen = read_silhouette(mask)
    assert seen.mask[60, 80] == 1
    assert seen.mask[45, 80] == 0


@pytest.mark.parametrize(
    ("center", "side"), [((5, 60), "left"), ((155, 60), "right"), ((80, 5), "top"), ((80, 115), "bottom")]
)
def test_an_object_cut_by_the_frame_is_told(center, side):
    _, mask = disc(center=center)
    seen = read_silhouette(mask)
    assert seen.cut_by == (side,)
    assert side in seen.notices()[0]


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="no object"):
        read_silhouette(np.zeros((50, 50), np.float32))


def ball(radius: float, beyond: float, size: int = 400) -> np.ndarray:
    """A disc of which `beyond` pixels lie under the lower edge."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    return ((x - size / 2) ** 2 + (y - size + radius - beyond) ** 2 < radius**2).astype(np.float32)


@pytest.mark.parametrize("radius", [20, 60, 150])
def test_a_round_object_that_touches_the_frame_is_whole(radius):
    for beyond in (-1.0, 0.0, 0.5, 1.0):
        assert read_silhouette(ball(radius, beyond)).cut_by == ()
    for beyond in (0.1, 0.5, 1.0, 1.8):
        assert read_silhouette(ball(radius, max(8.0, beyond * radius))).cut_by == ("bottom",)


def test_one_row_of_pixels_is_no_cut():
    mask = ball(60, -1.0)
    mask[-1, 150:260] = 1
    assert read_silhouette(mask).cut_by == ()


def test_a_thin_part_that_leaves_the_frame_is_a_cut():
    mask = ball(60, -100.0)
    mask[280:, 195:206] = 1
    assert read_silhouette(mask).cut_by == ("bottom",)


def test_a_mask_that_is_not_sure_at_the_frame_is_not_said_to_be_cut():
    seen = read_silhouette(ball(60, 40.0), unsure=("bottom", "left"))
    assert (seen.cut_by, seen.unsure) == ((), ("bottom",))
    (said,) = seen.notices()
    assert "cut" not in said and "bottom" in said and "mask.png" in said
