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
    _, left = disc(radius=20, centre=(40, 60))
    _, right = disc(radius=20, centre=(120, 60))
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
    ("centre", "side"), [((5, 60), "left"), ((155, 60), "right"), ((80, 5), "top"), ((80, 115), "bottom")]
)
def test_an_object_cut_by_the_frame_is_told(centre, side):
    _, mask = disc(centre=centre)
    seen = read_silhouette(mask)
    assert seen.cut_by == (side,)
    assert side in seen.notices()[0]


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="no object"):
        read_silhouette(np.zeros((50, 50), np.float32))
