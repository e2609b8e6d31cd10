"""Empty-space skipping: which samples of an image's rays are empty, estimated from a few of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from ...render.intervals import between
from .config import Sampling
from .fast_field import FastField


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Cells between probed rays and depths that may hold something: one grid for each of the two networks.

    Attributes:
        coarse: cells along rows, columns and depth.
        fine: cells along rows, columns and depth.
        block: pixels between probed rays.
        probes: points that were looked at in each network.
    """

    coarse: Bool[Tensor, "i j k"]
    fine: Bool[Tensor, "i j k"]
    block: int
    probes: int

    def columns(self, rows: Int[Tensor, " r"], columns: Int[Tensor, " r"], *, fine: bool) -> Bool[Tensor, "r k"]:
        """The cells along the rays of pixels."""
        grid = self.fine if fine else self.coarse
        last_row, last_column = grid.shape[0] - 1, grid.shape[1] - 1
        return grid[(rows // self.block).clamp_max(last_row), (columns // self.block).clamp_max(last_column)]


def probe(
    field: FastField, rays: Float[Tensor, "h w 8"], sampling: Sampling, *, block: int, slices: int, margin: float
) -> Occupancy:
    """Look at the densities of both networks at every `block`-th ray, in `slices` equal parts of near to far.

    A cell lies between four probed rays and three depths. It is empty where the raw density stays below 0 at all
    twelve by more than `margin` times its spread among them.
    """
    height, width = rays.shape[:2]
    probed = rays[_every(height, block)][:, _every(width, block)]
    fractions = (torch.arange(slices).to(rays) + 0.5) / slices
    distances = between(probed[..., 6:7], probed[..., 7:8], fractions, sampling.rays.spread)
    points = probed[:, :, None, :3] + distances[..., None] * probed[:, :, None, 3:6]
    directions = probed[:, :, None, 3:6].expand_as(points)
    found = [
        _occupied(
            field.raw(points.reshape(-1, 3), directions.reshape(-1, 3), fine=fine)[:, 3].reshape(distances.shape),
            margin,
        )
        for fine in (False, True)
    ]
    return Occupancy(found[0], found[1], block, distances.numel())


def _every(count: int, block: int) -> Tensor:
    """Every `block`-th of `count`, and the last."""
    return torch.arange(0, count - 1 + block, block).clamp_max(count - 1)


def _occupied(raw: Float[Tensor, "a b k"], margin: float) -> Bool[Tensor, "i j k"]:
    """Cells from the densities at their corners; a depth's neighbours count, the first and the last are their own."""
    highest = _pooled(raw)
    lowest = -_pooled(-raw)
    return highest + margin * (highest - lowest) > 0


def _pooled(values: Float[Tensor, "a b k"]) -> Float[Tensor, "i j k"]:
    padded = functional.pad(values[None, None], (1, 1, 0, 0, 0, 0), mode="replicate")
    return functional.max_pool3d(padded, (min(2, values.shape[0]), min(2, values.shape[1]), 3), stride=1)[0, 0]
