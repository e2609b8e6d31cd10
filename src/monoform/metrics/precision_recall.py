"""Precision and recall of generated images (Kynkäänniemi et al. 2019): fidelity and variety, apart."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .arrays import Array

NEIGHBORS = 3
_ROUNDING = 1e-6  # of a difference of squares in float32, as a part of them
Numbers = Literal["float16", "float32"]


def precision_recall(
    real: Float[Array, "m d"],
    generated: Float[Array, "n d"],
    *,
    neighbors: int = NEIGHBORS,
    numbers: Numbers = "float16",
    rows: int = 2048,
) -> tuple[float, float]:
    """Share of generated images that lie among the real ones, and share of real ones among the generated.

    A feature lies among others if it is no farther from one of them than that one's k-th nearest neighbor.

    Args:
        neighbors: k.
        numbers: features and distances are rounded to these before they are compared; float16 as published.
        rows: features whose distances are in memory at once.

    Raises:
        InputError: a set has no more than k features.
    """
    few = min(len(real), len(generated))
    if few <= neighbors:
        raise InputError(f"{few} images have no {neighbors} neighbors each; give more than {neighbors} of both kinds.")
    kind = getattr(torch, numbers)
    x, y = (torch.as_tensor(values).to(kind) for values in (real, generated))
    return _share_among(y, x, neighbors, rows), _share_among(x, y, neighbors, rows)


def _share_among(probes: Tensor, others: Tensor, neighbors: int, rows: int) -> float:
    # The nearest of all is the feature itself.
    nearest = [_distances(part, others).float().kthvalue(neighbors + 1).values for part in others.split(rows)]
    radii = torch.cat(nearest).to(others.dtype)
    inside = [(_distances(part, others) <= radii).any(dim=1) for part in probes.split(rows)]
    return float(torch.cat(inside).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """By a product of matrices in float32, rounded to the features' kind of numbers; 0 for what is equal."""
    middle = b.float().mean(dim=0)
    x, y = a.float() - middle, b.float() - middle
    sizes = (x**2).sum(dim=1)[:, None] + (y**2).sum(dim=1)
    squared = torch.addmm(sizes, x, y.T, alpha=-2)
    return torch.where(squared < _ROUNDING * sizes, 0, squared).sqrt().to(a.dtype)
