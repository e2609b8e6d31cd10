"""Pictures of a training: many images as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def sheet(images: Float[Tensor, "n c h w"], *, columns: int, side: int) -> Float[Tensor, "a b 3"]:
    """Images, 0..1, in rows; of one channel in gray."""
    images = images.detach().float().cpu().clamp(0, 1).expand(-1, 3, -1, -1)
    if images.shape[-1] != side:
        images = functional.interpolate(images, size=(side, side), mode="nearest")
    rows: Sequence[Tensor] = images.split(columns)
    if len(rows[-1]) < columns:
        rows = [*rows[:-1], torch.cat([rows[-1], images.new_ones(columns - len(rows[-1]), *images.shape[1:])])]
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).permute(1, 2, 0)


def depth_shades(depth: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Near is bright, far is dark, over the range of each image."""
    low, high = depth.amin(dim=(1, 2, 3), keepdim=True), depth.amax(dim=(1, 2, 3), keepdim=True)
    return 1 - (depth - low) / (high - low).clamp(min=1e-6)
