"""Multi-resolution grids of trained features, dense or hashed (Instant NGP, Mueller et al. 2022, section 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from ..ranges import require_ranges
from .grid_compiled import look_up_fast
from .grid_lookup import GridLevel, look_up_slope

FIRST_VALUES = 1e-4  # features start uniformly within plus and minus this


@dataclass(frozen=True)
class GridOptions:
    """Layout of a grid encoding; the defaults are those of RealFusion.

    Attributes:
        dimensions: of positions.
        levels: of resolution.
        features: at each corner of each level.
        base: cells along an axis of the coarsest level.
        finest: cells along an axis of the finest level, about.
        log2_hashmap_size: binary logarithm of the most corners that a level stores.
        kind: what happens to levels with more corners than that: "hash" spreads them over the rows (equation 4 of
            Instant NGP), "tiled" counts along the axes and wraps, leaving out the axes for which no rows are left.
        align_corners: whether corners lie on the border of the box, or half a cell beyond.
        interpolation: "linear", or "smoothstep", which has continuous slopes.
    """

    dimensions: int = 3
    levels: int = 16
    features: int = 2
    base: int = 16
    finest: float = 1536.0
    log2_hashmap_size: int = 16
    kind: Literal["hash", "tiled"] = "tiled"
    align_corners: bool = False
    interpolation: Literal["linear", "smoothstep"] = "linear"

    def __post_init__(self) -> None:
        require_ranges(self, "A grid's", dimensions=(1, 7), levels=(1, 32), features=(1, 32), log2_hashmap_size=(3, 28))
        if not 1 <= self.base <= self.finest < 2**20:
            raise InputError(f"A grid's levels go from {self.base} to {self.finest} cells; give 1 <= base <= finest.")

    @property
    def width(self) -> int:
        """Length of the encoding: features of all levels."""
        return self.levels * self.features

    @property
    def growth(self) -> float:
        """Ratio of the resolutions of a level and the one before."""
        return 1.0 if self.levels == 1 else 2.0 ** (math.log2(self.finest / self.base) / (self.levels - 1))


def grid_levels(options: GridOptions) -> list[GridLevel]:
    """Rows, scale and number of corners of each level, with the float32 rounding of the published kernels."""
    octaves = math.log2(options.growth)
    step, levels, first = np.float32(octaves), [], 0
    for number in range(options.levels):
        side = math.ceil(options.base * 2.0 ** (octaves * number)) + (0 if options.align_corners else 1)
        rows = -(-min(2**options.log2_hashmap_size, side**options.dimensions) // 8) * 8
        scale = np.float32(2.0 ** float(np.float32(number) * step)) * np.float32(options.base) - np.float32(1.0)
        corners = math.ceil(scale) + 1 + (0 if options.align_corners else 1)
        levels.append(GridLevel(first, rows, float(scale), corners, options.kind == "hash"))
        first += rows
    return levels


class HashGrid(nn.Module):
    """Features interpolated from the corners around a position, of all levels side by side, the coarsest first.

    Positions outside the box have no features: zeros, and no gradient. The names of parameter and buffer are those of
    published checkpoints.

    Args:
        options: layout.
        bound: half the side of the box around the origin, in world units.
    """

    offsets: Tensor

    def __init__(self, options: GridOptions | None = None, *, bound: float = 1.0) -> None:
        super().__init__()
        if not bound > 0:
            raise InputError(f"A grid's bound is {bound}; it must be positive, in world units.")
        self.options, self.bound = options or GridOptions(), bound
        self.levels = grid_levels(self.options)
        ends = [level.first + level.rows for level in self.levels]
        self.register_buffer("offsets", torch.tensor([0, *ends], dtype=torch.int32))
        table = torch.empty(ends[-1], self.options.features)
        self.embeddings = nn.Parameter(table.uniform_(-FIRST_VALUES, FIRST_VALUES))

    def forward(self, points: Float[Tensor, "n d"], *, levels: int | None = None) -> Float[Tensor, "n features"]:
        """Features at world points; differentiable in the table and in the points.

        Args:
            levels: of which there are features, the coarsest; None for all.
        """
        share = (points + self.bound) / (2.0 * self.bound)
        options = self.options
        return look_up_fast(
            share,
            self.embeddings,
            self.levels[:levels],
            shift=0.0 if options.align_corners else 0.5,
            smooth=options.interpolation == "smoothstep",
        )

    def slopes(self, points: Float[Tensor, "n d"], *, levels: int | None = None) -> Float[Tensor, "d n features"]:
        """Change of the features by world unit, along each axis; differentiable in the table alone."""
        share, options = (points + self.bound) / (2.0 * self.bound), self.options
        smooth = options.interpolation == "smoothstep"
        shift = 0.0 if options.align_corners else 0.5
        found = [
            look_up_slope(share, self.embeddings, self.levels[:levels], axis, shift=shift, smooth=smooth)
            for axis in range(options.dimensions)
        ]
        return torch.stack(found) / (2.0 * self.bound)

    def extra_repr(self) -> str:
        """Sizes, for `print`."""
        shown: dict[str, Any] = {"rows": len(self.embeddings), "bound": self.bound}
        return f"{self.options}, " + ", ".join(f"{name}={value}" for name, value in shown.items())
