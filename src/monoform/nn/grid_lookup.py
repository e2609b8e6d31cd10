"""Interpolation in the tables of a multi-resolution grid, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

# As numbers of 32 bits with a sign: products then wrap as those of unsigned ones do.
PRIMES = (1, 2654435761 - 2**32, 805459861, 3674653429 - 2**32, 2097192037, 1434869437, 2165219737 - 2**32)


@dataclass(frozen=True)
class GridLevel:
    """One level of a grid.

    Attributes:
        first: row at which its part of the table begins.
        rows: of that part.
        scale: cells along an axis, as a position is multiplied by it.
        corners: along an axis, as rows are counted.
        hashed: whether corners are spread over the rows when there are more of them.
    """

    first: int
    rows: int
    scale: float
    corners: int
    hashed: bool

    def strides(self, dimensions: int) -> tuple[list[int], bool]:
        """Rows from a corner to the next along each axis (0: the axis is left out), and whether all are counted."""
        strides, stride = [], 1
        for _ in range(dimensions):
            strides.append(stride if stride <= self.rows else 0)
            stride = stride * self.corners if stride <= self.rows else stride
        return strides, stride <= self.rows

    def wraps(self, dimensions: int) -> bool:
        """Whether the highest corner's number is beyond the last row."""
        strides, dense = self.strides(dimensions)
        return not dense or sum(strides) * (math.ceil(self.scale) + 1) >= self.rows


def corner_rows(level: GridLevel, cells: Sequence[Int[Tensor, " n"]]) -> Int[Tensor, "corners n"]:
    """Rows of the 2^d corners of cells, within the level; the last axis varies fastest."""
    dimensions = len(cells)
    strides, dense = level.strides(dimensions)
    hashing = level.hashed and not dense
    join = torch.bitwise_xor if hashing else torch.add
    joined: list[Tensor] = []
    for cell, factor in zip(cells, PRIMES if hashing else strides, strict=False):
        low = cell * factor
        both = (low, low + factor)
        joined = [join(one, other) for one in joined for other in both] if joined else list(both)
    rows = torch.stack(joined)
    if not level.wraps(dimensions):
        return rows
    if level.rows & (level.rows - 1) == 0:
        return rows.bitwise_and_(level.rows - 1)
    return ((rows.long() & 0xFFFFFFFF) % level.rows).int()


def corner_weights(pairs: Sequence[tuple[Float[Tensor, " n"], Float[Tensor, " n"]]]) -> Float[Tensor, "corners n"]:
    """Products over the axes of one of two factors each, in the order of `corner_rows`."""
    joined = list(pairs[0])
    for both in pairs[1:]:
        joined = [one * other for one in joined for other in both]
    return torch.stack(joined)


def look_up(
    share: Float[Tensor, "n d"],
    table: Float[Tensor, "rows features"],
    levels: Sequence[GridLevel],
    *,
    shift: float = 0.5,
    smooth: bool = False,
) -> Float[Tensor, "n width"]:
    """Features of all levels at positions of 0..1 within the box; zero outside of it.

    Differentiable once, in the table and in the positions.

    Args:
        shift: of positions in cells: 0.5 where corners lie half a cell beyond the border.
        smooth: interpolate with 3 f^2 - 2 f^3 in place of f.
    """
    return _LookUp.apply(share, table, tuple(levels), shift, smooth, None)


def look_up_slope(
    share: Float[Tensor, "n d"],
    table: Float[Tensor, "rows features"],
    levels: Sequence[GridLevel],
    axis: int,
    *,
    shift: float = 0.5,
    smooth: bool = False,
) -> Float[Tensor, "n width"]:
    """How features change along one axis, for each whole box; differentiable in the table alone.

    Args:
        axis: 0..d - 1; the rest is as of `look_up`.
    """
    return _LookUp.apply(share.detach(), table, tuple(levels), shift, smooth, axis)


def look_up_plain(
    share: Float[Tensor, "n d"],
    table: Float[Tensor, "rows features"],
    levels: Sequence[GridLevel],
    *,
    shift: float = 0.5,
    smooth: bool = False,
) -> Float[Tensor, "n width"]:
    """The twin of `look_up` in plain operations with autograd's own gradients: slower, and differentiable twice."""
    inside, clipped = _inside(share)
    parts = []
    for level in levels:
        cells, fractions = _cells(clipped, level, shift)
        weights = corner_weights(_factors(fractions, smooth, inside)).T
        rows = table[level.first + corner_rows(level, cells).T.long()]
        parts.append((weights[..., None] * rows).sum(dim=1))
    return torch.cat(parts, dim=1)


def _inside(share: Tensor) -> tuple[Tensor, list[Tensor]]:
    """1 within the box and 0 outside; the coordinates, one tensor for each axis, moved into it."""
    inside = ((share >= 0.0) & (share <= 1.0)).all(dim=1).to(share.dtype)
    return inside, [axis.contiguous() for axis in share.clamp(0.0, 1.0).unbind(dim=1)]


def _cells(share: Sequence[Tensor], level: GridLevel, shift: float) -> tuple[list[Tensor], list[Tensor]]:
    """Cell of each position and the place within it, 0..1, along each axis."""
    coordinates = [axis * level.scale + shift for axis in share]
    floors = [place.detach().floor() for place in coordinates]
    return [floor.int() for floor in floors], [place - floor for place, floor in zip(coordinates, floors, strict=True)]


def _factors(fractions: Sequence[Tensor], smooth: bool, inside: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Interpolation weights of the lower and the upper corner along each axis; 0 outside the box."""
    highs = [f * f * (3.0 - 2.0 * f) if smooth else f for f in fractions]
    first, *others = [(1.0 - high, high) for high in highs]
    return [(first[0] * inside, first[1] * inside), *others]


def _slopes(fractions: Sequence[Tensor], smooth: bool, inside: Tensor, axis: int) -> list[tuple[Tensor, Tensor]]:
    """The same, with the derivatives by one coordinate, in cells, in its place."""
    factors, f = _factors(fractions, smooth, inside), fractions[axis]
    slope = 6.0 * f * (1.0 - f) if smooth else torch.ones_like(f)
    factors[axis] = (-slope * inside, slope * inside)
    return factors


def _bag(rows: Tensor, weights: Tensor, part: Tensor) -> Tensor:
    """Weighted sums of table rows: a bag of embeddings for each position."""
    if rows.shape[1] == 0:
        return part.new_zeros(0, part.shape[1])
    return embedding_bag(
        rows.T.contiguous(), part, mode="sum", per_sample_weights=weights.T.to(part.dtype).contiguous()
    )


class _LookUp(torch.autograd.Function):
    """One level after the other, so that its part of the table stays in the cache."""

    @staticmethod
    def forward(
        ctx: Any, share: Tensor, table: Tensor, levels: tuple, shift: float, smooth: bool, axis: int | None
    ) -> Tensor:
        inside, clipped = _inside(share)
        parts, kept = [], []
        for level in levels:
            cells, fractions = _cells(clipped, level, shift)
            if axis is None:
                weights = corner_weights(_factors(fractions, smooth, inside))
            else:
                weights = corner_weights(_slopes(fractions, smooth, inside, axis)) * level.scale
            rows = corner_rows(level, cells)
            parts.append(_bag(rows, weights, table[level.first : level.first + level.rows]))
            kept += [rows, weights] if ctx.needs_input_grad[1] else []
        positions = ctx.needs_input_grad[0]
        ctx.levels, ctx.shift, ctx.smooth, ctx.size = levels, shift, smooth, len(table)
        ctx.save_for_backward(share if positions else None, table if positions else None, *kept)
        return torch.cat(parts, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        share, table, *kept = ctx.saved_tensors
        for_share = for_table = None
        if ctx.needs_input_grad[1]:
            parts = list(zip(ctx.levels, kept[0::2], kept[1::2], strict=True))
            for_table = _table_gradient(gradient, parts, ctx.size)
        if ctx.needs_input_grad[0]:
            for_share = _position_gradient(gradient, share, table, ctx.levels, ctx.shift, ctx.smooth)
        return for_share, for_table, None, None, None, None


def _table_gradient(gradient: Tensor, parts: list[tuple[GridLevel, Tensor, Tensor]], size: int) -> Tensor:
    """Weights times the gradient of the output, added up in the rows they came from."""
    width = gradient.shape[1] // len(parts)
    total = gradient.new_zeros(size, width)
    # Two features at a time, as one complex number: half as many additions at scattered places.
    paired = width % 2 == 0 and gradient.device.type == "cpu" and gradient.dtype in (torch.float32, torch.float64)
    columns = gradient.T.contiguous()
    for number, (level, rows, weights) in enumerate(parts):
        part = total[level.first : level.first + level.rows]
        own = columns[number * width : (number + 1) * width]
        if not paired:
            part.index_add_(0, rows.flatten(), (weights[..., None] * own.T[None]).flatten(0, 1).to(part.dtype))
            continue
        numbers = torch.view_as_complex(part.view(level.rows, width // 2, 2))
        for pair in range(width // 2):
            two = torch.complex(weights * own[2 * pair], weights * own[2 * pair + 1])
            numbers[:, pair].index_add_(0, rows.flatten(), two.flatten())
    return total


def _position_gradient(
    gradient: Tensor, share: Tensor, table: Tensor, levels: Sequence[GridLevel], shift: float, smooth: bool
) -> Tensor:
    """The slope of each level's features along each axis, times the gradient of the output."""
    inside, clipped = _inside(share)
    width = gradient.shape[1] // len(levels)
    columns = [torch.zeros_like(inside) for _ in clipped]
    for number, level in enumerate(levels):
        cells, fractions = _cells(clipped, level, shift)
        rows, part = corner_rows(level, cells), table[level.first : level.first + level.rows]
        own = gradient[:, number * width : (number + 1) * width]
        for axis, column in enumerate(columns):
            slopes = _bag(rows, corner_weights(_slopes(fractions, smooth, inside, axis)), part)
            column += level.scale * (slopes * own).sum(dim=1)
    return torch.stack(columns, dim=1)
