"""Where rays are sampled, and which part of a ray each sample stands for."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Spread = Literal["linear", "disparity"]
Last = Literal["far", "endless", "zero"]
ENDLESS = 1e10


def between(
    near: Float[Tensor, "*#r 1"],
    far: Float[Tensor, "*#r 1"],
    fraction: Float[Tensor, "*#r k"],
    spread: Spread = "linear",
) -> Float[Tensor, "*r k"]:
    """Distances at fractions of the way from near to far, or of the way from 1 / near to 1 / far."""
    if spread == "disparity":
        return 1 / ((1 - fraction) / near + fraction / far)
    return near * (1 - fraction) + far * fraction


def stratified(fractions: Float[Tensor, "*r k"]) -> Float[Tensor, "*r k"]:
    """One fraction in each of k equal bins, ascending (NeRF, Mildenhall et al. 2020, equation 2).

    Args:
        fractions: 0..1 within the bins; 0 for left edges, 1/2 for centers.
    """
    count = fractions.shape[-1]
    return (torch.arange(count).to(fractions) + fractions) / count


def jittered(distances: Float[Tensor, "*r k"], fractions: Float[Tensor, "*r k"]) -> Float[Tensor, "*r k"]:
    """Ascending distances, each moved within the middles to its neighbors, the outer ones inwards (code of NeRF).

    Args:
        fractions: 0..1 on the way from the middle before to the middle behind.
    """
    edges = interval_edges(distances, distances[..., :1], distances[..., -1:])
    return edges[..., :-1] + edges.diff(dim=-1) * fractions


def interval_edges(
    distances: Float[Tensor, "*r k"], near: Float[Tensor, "*r 1"], far: Float[Tensor, "*r 1"]
) -> Float[Tensor, "*r k_plus_1"]:
    """Edges of the intervals around ascending samples: near, the middles between neighbors, far."""
    return torch.cat((near, middles(distances), far), dim=-1)


def middles(distances: Float[Tensor, "*r k"]) -> Float[Tensor, "*r k_minus_1"]:
    """Half way between neighbors."""
    return 0.5 * (distances[..., 1:] + distances[..., :-1])


def lengths_to_next(distances: Float[Tensor, "*r k"], far: Float[Tensor, "*r 1"], last: Last) -> Float[Tensor, "*r k"]:
    """Each sample stands for the way to the next one, the last for the way to far, for all that follows, or nothing."""
    end = {"far": far - distances[..., -1:], "endless": torch.full_like(far, ENDLESS), "zero": torch.zeros_like(far)}
    return torch.cat((distances.diff(dim=-1), end[last]), dim=-1)
