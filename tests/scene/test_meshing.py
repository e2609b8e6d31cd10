"""Where the walls of a solid that is painted by a photo take their colours from."""

from __future__ import annotations

import numpy as np

from monoform.scene.meshing import INWARD, MARGIN, _drawn_in


def test_places_move_away_from_the_outline_up_to_the_middle_of_thin_parts():
    mask = np.zeros((60, 80), np.float32)
    mask[10:50, 20:60] = 1
    mask[28:31, 60:75] = 1  # a bar, three pixels wide
    left, top, width, height = 20 - MARGIN, 10 - MARGIN, 55 + 2 * MARGIN, 40 + 2 * MARGIN

    def moved(x: float, y: float) -> tuple[float, float]:
        uv = np.array([[(x - left) / width, 1 - (y - top) / height]])
        found = _drawn_in(uv, mask)[0]
        return left + found[0] * width, top + (1 - found[1]) * height

    x, y = moved(20.5, 40.0)
    assert 2.5 < x - 20.5 <= INWARD and abs(y - 40.0) < 0.3
    x, y = moved(68.0, 28.3)
    assert abs(y - 29.5) < 1 and abs(x - 68.0) < 1, "it stays in the bar"
    np.testing.assert_allclose(moved(40.5, 30.5), (40.5, 30.5), atol=INWARD)
