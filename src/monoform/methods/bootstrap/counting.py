"""Which rays count in a refinement: most of a picture shows nothing of the object."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import max_pool2d

Counting = Literal["all", "cube", "object"]
FAINT = 0.02
"""Opacity, or difference of a color -1..1 from the background, below which a pixel shows nothing."""
LEAST = {"cube": 1e-5, "object": 1e-4}
"""Share of a pixel below which a sample has no color and no gradient: gradients of the planes are off by about 6e-4 and
6e-3 of their length."""
MARGIN = 16
"""Pixels around what shows something count too, as one part of so many of the picture's longer side."""


def around(shown: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """The pixels that show something, and a margin."""
    margin = max(1, max(shown.shape[1:]) // MARGIN)
    return max_pool2d(shown[:, None].float(), 2 * margin + 1, 1, margin)[:, 0] > 0


def off_background(rgb: Float[Tensor, "n h w 3"], background: float) -> Bool[Tensor, "n h w"]:
    """The pixels of photos that are not plain background."""
    return (rgb - background).abs().amax(dim=3) > FAINT


def indices(counts: Bool[Tensor, "n r"]) -> Int[Tensor, "n m"]:
    """Which rays of each image are followed: those that count, and others where another image has more of them."""
    most = max(int(counts.sum(dim=1).max()), 1)
    return torch.argsort(counts.int(), dim=1, descending=True, stable=True)[:, :most].sort(dim=1).values


def filled(values: Float[Tensor, "n m *c"], index: Int[Tensor, "n m"], rays: int, rest: float) -> Tensor:
    """Values of all rays, (n, rays, ...): those that were followed, and what the others see."""
    whole = values.new_full((len(values), rays, *values.shape[2:]), rest)
    place = index.reshape(*index.shape, *[1] * (values.ndim - 2)).expand(values.shape)
    return whole.scatter(1, place, values)
