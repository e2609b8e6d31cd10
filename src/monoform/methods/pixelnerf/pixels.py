"""Pixels of a training batch, pooling of views, rounding of stored images."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


def pixels_in_boxes(
    boxes: Float[Tensor, "v 4"], views: Int[Tensor, " n"], x: Float[Tensor, " n"], y: Float[Tensor, " n"]
) -> Int[Tensor, "n 3"]:
    """(view, row, column) of pixels inside the boxes of their views.

    Args:
        boxes: (first column, first row, last column, last row) of the object in each view, inclusive.
        views: which view each pixel is taken from.
        x: uniform draws in [0, 1) for the column.
        y: the same for the row.
    """
    first_column, first_row, last_column, last_row = boxes[views].unbind(-1)
    columns = (x * (last_column + 1 - first_column) + first_column).long()
    rows = (y * (last_row + 1 - first_row) + first_row).long()
    return torch.stack((views, rows, columns), dim=-1)


def pool_views(
    features: Float[Tensor, " objects_views *rest"], views: int, kind: Literal["average", "max"] = "average"
) -> Float[Tensor, " objects *rest"]:
    """Features of each object's `views` consecutive rows, averaged or maximised (section 4.2, multi-view)."""
    grouped = features.reshape(-1, views, *features.shape[1:])
    return grouped.mean(dim=1) if kind == "average" else grouped.amax(dim=1)


def truncate_to_8_bit(image: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """0..1 to 0..255, rounded down as the published scripts do when they write files."""
    return (image * 255).to(torch.uint8)
