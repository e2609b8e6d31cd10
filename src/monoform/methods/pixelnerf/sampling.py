"""Where rays are sampled (Yu et al. 2021, supplement B.1), from draws that can be random, even, or given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .config import Sampling

FLOOR = 1e-5


@dataclass(frozen=True, eq=False)
class Draws:
    """All that is random in the rendering of r rays, in the order in which it is drawn.

    Attributes:
        strata: 0..1, places in the coarse strata.
        bins: 0..1, places in the distribution of coarse weights; within: 0..1, places in the strata found there.
        depth: standard normal, places around the coarse depth.
    """

    strata: Float[Tensor, "r coarse"]
    bins: Float[Tensor, "r important"]
    within: Float[Tensor, "r important"]
    depth: Float[Tensor, "r depth"]

    @classmethod
    def random(cls, rays: int, sampling: Sampling, generator: torch.Generator) -> Draws:
        """Draws from a generator, on its device."""
        important, device = sampling.fine - sampling.depth, generator.device

        def uniform(n: int) -> Tensor:
            return torch.rand(rays, n, generator=generator, device=device)

        strata, bins, within = uniform(sampling.coarse), uniform(important), uniform(important)
        return cls(strata, bins, within, torch.randn(rays, sampling.depth, generator=generator, device=device))

    @classmethod
    def even(cls, rays: int, sampling: Sampling) -> Draws:
        """The middle of every stratum, and equally likely parts of each distribution at their middles."""
        important = sampling.fine - sampling.depth
        parts = (torch.arange(sampling.depth) + 0.5) / max(sampling.depth, 1)
        normal = math.sqrt(2) * torch.erfinv(2 * parts - 1)
        bins = (torch.arange(important) + 0.5) / max(important, 1)
        half = torch.tensor(0.5)
        return cls(
            half.expand(rays, sampling.coarse),
            bins.expand(rays, -1),
            half.expand(rays, important),
            normal.expand(rays, -1),
        )

    def __getitem__(self, rows: slice | Tensor) -> Draws:
        """The draws of some of the rays."""
        return Draws(self.strata[rows], self.bins[rows], self.within[rows], self.depth[rows])

    def to(self, like: Tensor) -> Draws:
        """The same in the dtype and on the device of a tensor."""
        return Draws(self.strata.to(like), self.bins.to(like), self.within.to(like), self.depth.to(like))


def coarse_distances(
    near: Float[Tensor, "r 1"], far: Float[Tensor, "r 1"], strata: Float[Tensor, "r k"], sampling: Sampling
) -> Float[Tensor, "r k"]:
    """One distance in each of k equal strata, ascending."""
    count = strata.shape[1]
    begins = torch.arange(count).to(near) / count
    return between(near, far, begins + strata / count, sampling)


def important_distances(
    weights: Float[Tensor, "r k"],
    near: Float[Tensor, "r 1"],
    far: Float[Tensor, "r 1"],
    draws: Draws,
    sampling: Sampling,
) -> Float[Tensor, "r m"]:
    """Distances in strata that are drawn by their coarse weights; they carry no gradient.

    The strata are the equal ones of the coarse samples, and a place within one is drawn anew. A draw above the last
    entry of a distribution that rounding leaves below 1 lies beyond the last stratum, as published.
    """
    shares = weights.detach() + FLOOR
    shares = shares / shares.sum(dim=-1, keepdim=True)
    cumulative = torch.cat((torch.zeros_like(near), shares.cumsum(dim=-1)), dim=-1)
    found = torch.searchsorted(cumulative, draws.bins.contiguous(), right=True).to(near) - 1
    return between(near, far, (found.clamp_min(0) + draws.within) / weights.shape[1], sampling)


def depth_distances(
    depth: Float[Tensor, "r 1"],
    near: Float[Tensor, "r 1"],
    far: Float[Tensor, "r 1"],
    draws: Draws,
    sampling: Sampling,
) -> Float[Tensor, "r m"]:
    """Distances around the coarse depth, kept between near and far; the gradient of the depth goes through them."""
    around = depth + sampling.depth_std * draws.depth
    return torch.maximum(torch.minimum(around, far), near)


def between(near: Tensor, far: Tensor, fraction: Tensor, sampling: Sampling) -> Tensor:
    """Distances at fractions of the way from near to far, or of the way from 1 / near to 1 / far."""
    if sampling.linear_disparity:
        return 1 / ((1 - fraction) / near + fraction / far)
    return near * (1 - fraction) + far * fraction
