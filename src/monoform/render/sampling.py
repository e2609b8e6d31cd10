"""Distances along rays at which a field is evaluated."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def stratified(
    near: Float[Tensor, " r"], far: Float[Tensor, " r"], n: int, generator: torch.Generator | None = None
) -> Float[Tensor, "r n"]:
    """One distance in each of n equal parts of [near, far], ascending (NeRF, Mildenhall et al. 2020, equation 2).

    Without a generator the middles of the parts; with one a uniform draw from each.
    """
    within = _uniform(len(near), n, near, generator)
    fractions = (torch.arange(n).to(near) + within) / n
    return near[:, None] + (far - near)[:, None] * fractions


def interval_edges(
    distances: Float[Tensor, "r n"], near: Float[Tensor, " r"], far: Float[Tensor, " r"]
) -> Float[Tensor, "r n_plus_1"]:
    """Edges of the intervals that ascending samples stand for: near, the middles between neighbours, far."""
    middles = 0.5 * (distances[:, 1:] + distances[:, :-1])
    return torch.cat((near[:, None], middles, far[:, None]), dim=-1)


def importance(
    edges: Float[Tensor, "r n_plus_1"],
    weights: Float[Tensor, "r n"],
    n_samples: int,
    generator: torch.Generator | None = None,
    *,
    floor: float = 1e-5,
) -> Float[Tensor, "r n_samples"]:
    """Ascending draws from the density that is constant in each interval and proportional to its weight.

    The inverse of the cumulative distribution (NeRF, section 5.2) at (i + u) / n_samples: one draw in each of
    n_samples equally likely parts, u = 1/2 without a generator. `floor` is added to every weight, so that intervals
    without weight, and rays without any, are still sampled. The result carries no gradient.
    """
    edges, masses = edges.detach(), weights.detach() + floor
    cumulative = torch.cumsum(masses, dim=-1)
    cumulative = torch.cat((torch.zeros_like(cumulative[:, :1]), cumulative), dim=-1) / cumulative[:, -1:]
    within = _uniform(len(edges), n_samples, edges, generator)
    level = ((torch.arange(n_samples).to(edges) + within) / n_samples).expand(len(edges), -1).contiguous()
    right = torch.searchsorted(cumulative, level, right=True).clamp(1, cumulative.shape[-1] - 1)
    low, high = cumulative.gather(-1, right - 1), cumulative.gather(-1, right)
    start, end = edges.gather(-1, right - 1), edges.gather(-1, right)
    fraction = ((level - low) / (high - low).clamp_min(torch.finfo(edges.dtype).tiny)).clamp(0.0, 1.0)
    return start + (end - start) * fraction


def _uniform(r: int, n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return torch.full((1, n), 0.5).to(like)
    return torch.rand(r, n, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
