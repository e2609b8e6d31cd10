"""Which distances along rays a field is asked at: options, random numbers, and importance sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from ..errors import InputError
from .intervals import Last, Spread, between, interval_edges, jittered, middles, stratified

FLOOR = 1e-5


@dataclass(frozen=True)
class RaySampling:
    """How rays are sampled and composited. The defaults are the house's; each paper's quadrature is a choice of these.

    Attributes:
        coarse: evenly spread samples of a ray.
        fine: samples drawn where the coarse ones found something; 0 for none.
        around_depth: of the fine ones, those drawn around the coarse depth.
        depth_std: their spread, world units.
        spread: whether coarse samples are even in distance or in 1 / distance.
        strata: "bins" places a sample in each of equal bins; "edges" does so by steps from their near edges, linear
            spread alone, to the last bit as bootstrapped inversion has it; "ends" includes near and far (code of NeRF);
            "behind" places each up to a step behind one of even steps, and so up to a step behind far (EG3D).
        intervals: what a sample stands for: the way "around" it, half way to its neighbors, or to the "next" one; or it
            is the ways "between" samples that are seen, with the mean of what their ends hold (EG3D).
        last: of the way to the next: that of the last sample.
        density: what a field's geometry is: the density "itself", or a number that softplus, one to the left, makes a
            density, after any mean was taken (EG3D).
        metric: whether densities are per world unit; else per length of a ray's direction, whatever that is.
        importance: where fine samples are drawn: anywhere by the weights "around" the coarse ones, by those of the
            "inner" ones between their middles (code of NeRF), or anew in the "bins" of the coarse ones (pixelNeRF).
        pooled: widen the weights before (Mip-NeRF, Barron et al. 2021, section 3.1).
        beta: softness of the surface of a signed distance, world units (1/s of NeuS).
        background: sRGB behind everything.
    """

    coarse: int = 64
    fine: int = 64
    around_depth: int = 0
    depth_std: float = 0.01
    spread: Spread = "linear"
    strata: Literal["bins", "edges", "ends", "behind"] = "bins"
    intervals: Literal["around", "next", "between"] = "around"
    last: Last = "far"
    density: Literal["itself", "softplus"] = "itself"
    metric: bool = True
    importance: Literal["around", "inner", "bins"] = "around"
    pooled: bool = False
    beta: float = 0.002
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        least = {"bins": 1, "around": 2, "inner": 3}[self.importance] + (self.intervals == "between")
        if self.coarse < least or not 0 <= self.around_depth <= self.fine:
            raise InputError(
                f"Samples per ray are {self.coarse} coarse and {self.fine} fine, {self.around_depth} of these around "
                f"the depth: give at least {least} coarse, and no more around the depth than fine."
            )
        if not self.beta > 0:
            raise InputError(f"RaySampling's beta is {self.beta}; it must be positive, in world units.")

    @property
    def important(self) -> int:
        """Fine samples that are drawn by the coarse weights."""
        return self.fine - self.around_depth


@dataclass(frozen=True, eq=False)
class RaySampleNoise:
    """All that is random about the samples of r rays, in the order in which it is drawn.

    Attributes:
        strata: 0..1, places of the coarse samples.
        levels: 0..1, of the cumulative distribution of coarse weights.
        within: 0..1, places in the bins found there.
        normal: standard normal, places around the coarse depth.
    """

    strata: Float[Tensor, "... coarse"]
    levels: Float[Tensor, "... important"]
    within: Float[Tensor, "... bins"]
    normal: Float[Tensor, "... around"]

    @classmethod
    def draw(
        cls, shape: int | tuple[int, ...], sampling: RaySampling, generator: torch.Generator | None
    ) -> RaySampleNoise:
        """Random with a generator, even without one."""
        return cls.even(shape, sampling) if generator is None else cls.random(shape, sampling, generator)

    @classmethod
    def random(cls, shape: int | tuple[int, ...], sampling: RaySampling, generator: torch.Generator) -> RaySampleNoise:
        """Independent draws for rays of this shape, on the generator's device."""
        shape = (shape,) if isinstance(shape, int) else shape

        def uniform(n: int) -> Tensor:
            return torch.rand(*shape, n, generator=generator, device=generator.device)

        strata, levels = uniform(sampling.coarse), uniform(sampling.important)
        within = uniform(sampling.important if sampling.importance == "bins" else 0)
        if sampling.importance == "around":  # one draw in each of equally likely parts
            levels = stratified(levels)
        normal = torch.randn(*shape, sampling.around_depth, generator=generator, device=generator.device)
        return cls(strata, levels, within, normal)

    @classmethod
    def even(cls, shape: int | tuple[int, ...], sampling: RaySampling) -> RaySampleNoise:
        """The same for all rays, without chance: middles of strata and of equally likely parts, or ends included."""
        shape = (shape,) if isinstance(shape, int) else shape
        around, important = sampling.around_depth, sampling.important
        parts = (torch.arange(around) + 0.5) / max(around, 1)
        levels = stratified(torch.full((important,), 0.5))
        if sampling.importance == "inner":
            levels = torch.linspace(0.0, 1.0, important)
        half, strata = torch.tensor(0.5), torch.full((sampling.coarse,), 0.5)
        if sampling.strata == "ends":
            strata[0], strata[-1] = 0.0, 1.0
        return cls(
            strata.expand(*shape, -1),
            levels.expand(*shape, -1),
            half.expand(*shape, important if sampling.importance == "bins" else 0),
            (math.sqrt(2) * torch.erfinv(2 * parts - 1)).expand(*shape, -1),
        )

    def __getitem__(self, rows: slice | Tensor) -> RaySampleNoise:
        """That of some of the rays."""
        return RaySampleNoise(self.strata[rows], self.levels[rows], self.within[rows], self.normal[rows])

    def taken(self, index: Int[Tensor, "n m"]) -> RaySampleNoise:
        """That of some of the rays of each of n images."""
        row = torch.arange(len(index), device=index.device)[:, None]
        return RaySampleNoise(
            self.strata[row, index], self.levels[row, index], self.within[row, index], self.normal[row, index]
        )

    def reshape(self, *shape: int) -> RaySampleNoise:
        """The same noise for rays of another shape."""
        parts = (self.strata, self.levels, self.within, self.normal)
        return RaySampleNoise(*(part.reshape(*shape, part.shape[-1]) for part in parts))

    def to(self, like: Tensor) -> RaySampleNoise:
        """The same in the dtype and on the device of a tensor."""
        return RaySampleNoise(self.strata.to(like), self.levels.to(like), self.within.to(like), self.normal.to(like))


def coarse_distances(
    near: Float[Tensor, "*r 1"], far: Float[Tensor, "*r 1"], strata: Float[Tensor, "*r k"], sampling: RaySampling
) -> Float[Tensor, "*r k"]:
    """Evenly spread distances from near to far, ascending."""
    if sampling.strata == "bins":
        return between(near, far, stratified(strata), sampling.spread)
    if sampling.strata == "edges":
        count = strata.shape[-1]
        return torch.lerp(near, far, torch.arange(count).to(near) / count) + strata * ((far - near) / count)
    if sampling.strata == "behind":
        return _behind(near, far, strata, sampling.spread)
    share = torch.linspace(0.0, 1.0, strata.shape[-1]).to(near)
    return jittered(between(near, far, share, sampling.spread), strata)


def _behind(near: Tensor, far: Tensor, strata: Tensor, spread: Spread) -> Tensor:
    """Each up to a step behind one of the even steps; to the last bit what sums of `torch.linspace` are."""
    if spread == "disparity":
        share = torch.linspace(0.0, 1.0, strata.shape[-1]).to(near) + strata * (1 / (strata.shape[-1] - 1))
        return 1 / between(1 / near, 1 / far, share)
    last = strata.shape[-1] - 1
    number, step = torch.arange(last + 1).to(near), (far - near) / last
    even = torch.where(number <= last // 2, near + step * number, far - step * (last - number))
    return even + strata * step


def fine_distances(
    near: Float[Tensor, "*r 1"],
    far: Float[Tensor, "*r 1"],
    distances: Float[Tensor, "*r k"],
    weights: Float[Tensor, "*r intervals"],
    depth: Float[Tensor, "*r"],
    noise: RaySampleNoise,
    sampling: RaySampling,
) -> Float[Tensor, "*r m"]:
    """Distances drawn by the coarse weights, without gradient, and around the coarse depth, with its gradient."""
    found = []
    if sampling.important:
        found.append(_important(near, far, distances, weights.detach(), noise, sampling))
    if sampling.around_depth:
        around = depth[..., None] + sampling.depth_std * noise.normal
        found.append(torch.maximum(torch.minimum(around, far), near))
    return torch.cat(found, dim=-1)


def _important(
    near: Tensor, far: Tensor, distances: Tensor, weights: Tensor, noise: RaySampleNoise, sampling: RaySampling
) -> Tensor:
    if sampling.pooled:
        weights = pooled_weights(weights)
    if sampling.importance == "bins":
        found = _interval_of(cumulative_shares(weights), noise.levels).to(near)
        # A level above the last entry of a distribution that rounding leaves below 1 lies beyond the last bin.
        return between(near, far, (found.clamp_min(0) + noise.within) / weights.shape[-1], sampling.spread)
    if sampling.importance == "inner":
        return importance(middles(distances), weights[..., 1:-1], noise.levels)
    between_samples = weights.shape[-1] < distances.shape[-1]
    edges = distances if between_samples else interval_edges(distances, near, far)
    return importance(edges, weights, noise.levels)


def importance(
    edges: Float[Tensor, "*r k_plus_1"], weights: Float[Tensor, "*r k"], levels: Float[Tensor, "*r m"]
) -> Float[Tensor, "*r m"]:
    """Where the cumulative distribution of the weights reaches the levels, linear in each interval (NeRF, 5.2).

    1e-5 is added to every weight, so that intervals without weight, and rays without any, are still sampled. The result
    carries no gradient.
    """
    edges, cumulative = edges.detach(), cumulative_shares(weights.detach())
    below = _interval_of(cumulative, levels).clamp_min(0)
    above = (below + 1).clamp_max(cumulative.shape[-1] - 1)
    low, start = cumulative.gather(-1, below), edges.gather(-1, below)
    width = cumulative.gather(-1, above) - low
    width = torch.where(width < FLOOR, torch.ones_like(width), width)
    return start + (levels - low) / width * (edges.gather(-1, above) - start)


def cumulative_shares(weights: Float[Tensor, "*r k"]) -> Float[Tensor, "*r k_plus_1"]:
    """The cumulative distribution from 0 on, of weights that are raised by 1e-5."""
    shares = weights + FLOOR
    shares = shares / shares.sum(dim=-1, keepdim=True)
    return torch.cat((torch.zeros_like(shares[..., :1]), shares.cumsum(dim=-1)), dim=-1)


def pooled_weights(weights: Float[Tensor, "*r k"]) -> Float[Tensor, "*r k"]:
    """Each weight the mean of the larger of it and either neighbor, plus 0.01 (Mip-NeRF, section 3.1)."""
    flat = weights.reshape(-1, 1, weights.shape[-1])
    return avg_pool1d(max_pool1d(flat, 2, 1, padding=1), 2, 1).reshape(weights.shape) + 0.01


def _interval_of(cumulative: Tensor, levels: Tensor) -> Tensor:
    return torch.searchsorted(cumulative, levels.contiguous(), right=True) - 1
