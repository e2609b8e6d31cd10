"""Charts of an atlas as boxes on shelves of the unit square."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_GUTTER = 2.0  # texels around each chart
_Region = tuple[float, float, float, float]  # left, bottom, width, height
_SQUARE: _Region = (0.0, 0.0, 1.0, 1.0)


def pack(
    flat: Float[np.ndarray, "f 3 2"], chart: Int[np.ndarray, " f"], resolution: int, *, main: bool = False
) -> Float[np.ndarray, "f 3 2"]:
    """Place the charts' boxes on shelves, at the largest common scale that fits; corners in 0..1.

    Args:
        flat: corners of the faces, each chart in a plane of its own.
        chart: number of each face's chart.
        resolution: texels along a side, of which there are some between charts.
        main: chart 0 stands upright in a corner, and the shelves are beside and below it.
    """
    low, high = _chart_boxes(flat, chart)
    size = high - low
    upright = size[:, 1] > size[:, 0]
    upright[:1] &= not main
    size[upright] = size[upright][:, ::-1]
    ways = [_fitted(size, resolution, split) for split in ((0, 1) if main else (None,))]
    scale, gutter, offsets = max(ways, key=lambda way: way[0])
    local = (flat - low[chart][:, None]) * scale
    turned = upright[chart]
    local[turned] = local[turned][:, :, ::-1]
    return (local + offsets[chart][:, None] + gutter).clip(0.0, 1.0)


def _chart_boxes(flat: np.ndarray, chart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = int(chart.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, chart, flat.min(axis=1))
    np.maximum.at(high, chart, flat.max(axis=1))
    empty = ~np.isfinite(low)
    low[empty], high[empty] = 0.0, 0.0
    return low, high


def _fitted(size: np.ndarray, resolution: int, split: int | None) -> tuple[float, float, Float[np.ndarray, "c 2"]]:
    """The largest scale, the gutter, which is smaller where there are too many charts, and the lower left corners."""
    order = np.argsort(-size[:, 1], kind="stable")
    gutter = _GUTTER / resolution
    while (offsets := _placed(size, order, 0.0, gutter, split)) is None:
        gutter *= 0.5
    smallest, largest = 0.0, 1.0 / max(float(size.max()), 1e-300)
    for _ in range(14):
        scale = 0.5 * (smallest + largest)
        attempt = _placed(size, order, scale, gutter, split)
        if attempt is None:
            largest = scale
        else:
            smallest, offsets = scale, attempt
    return smallest, gutter, offsets


def _placed(
    size: np.ndarray, order: np.ndarray, scale: float, gutter: float, split: int | None
) -> Float[np.ndarray, "c 2"] | None:
    """Lower left corners of the boxes at one scale, or None where they do not fit."""
    boxes = size * scale + 2 * gutter
    if split is None:
        return _on_shelves(boxes, order, [_SQUARE])
    width, height = boxes[0].tolist()
    if width > 1.0 or height > 1.0:
        return None
    tall = split == 0  # whether what is beside the first box reaches down beside what is below it
    beside = (width, 0.0 if tall else 1.0 - height, 1.0 - width, 1.0 if tall else height)
    below = (0.0, 0.0, width if tall else 1.0, 1.0 - height)
    placed = _on_shelves(boxes, order[order != 0], [beside, below])
    if placed is not None:
        placed[0] = 0.0, 1.0 - height
    return placed


def _on_shelves(boxes: np.ndarray, order: np.ndarray, regions: list[_Region]) -> Float[np.ndarray, "c 2"] | None:
    """Each box, in order, on the last shelf of the first region that has room, or on a new one."""
    offsets = np.zeros((len(boxes), 2))
    at = [[0.0, 0.0, 0.0] for _ in regions]  # x, y and height of the last shelf of each
    for number, (width, height) in zip(order.tolist(), boxes[order].tolist(), strict=True):
        for state, (left, bottom, across, up) in zip(at, regions, strict=True):
            x, y, shelf = state
            if x + width > across:
                x, y, shelf = 0.0, y + shelf, 0.0
            if width <= across and y + height <= up:
                offsets[number] = left + x, bottom + y
                state[:] = x + width, y, max(shelf, height)
                break
        else:
            return None
    return offsets
