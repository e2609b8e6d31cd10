"""Rendering with a coarse and a fine network (Mildenhall et al. 2020, section 5.2), as the published code samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.nerf_mlp import NerfMlp
from ...render.compositing import composite
from .config import TwoPass

ENDLESS = 1e10  # length of the last interval
FLOOR = 1e-5  # weight of intervals in which the coarse network saw nothing


@dataclass(frozen=True, eq=False)
class Pass:
    """What one network saw along rays.

    Attributes:
        rgb: sRGB 0..1 on the background; alpha: coverage 0..1.
        depth: sum of weight times parameter of the ray, not divided by alpha.
        disparity: alpha / depth, at most 1e10.
        raw: what the network gave, colour and density before their activations.
    """

    rgb: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    depth: Float[Tensor, " r"]
    disparity: Float[Tensor, " r"]
    weights: Float[Tensor, "r n"]
    distances: Float[Tensor, "r n"]
    raw: Float[Tensor, "r n 4"]


@dataclass(frozen=True, eq=False)
class TwoPassRender:
    """The coarse pass, and the fine one where there is one."""

    coarse: Pass
    fine: Pass | None

    @property
    def best(self) -> Pass:
        """The fine pass if there is one."""
        return self.coarse if self.fine is None else self.fine


def render_two_pass(
    coarse: NerfMlp,
    fine: NerfMlp,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    options: TwoPass,
    *,
    views: Float[Tensor, "r 3"] | None = None,
    generator: torch.Generator | None = None,
) -> TwoPassRender:
    """Render rays; differentiable in the networks and in the rays, the distances are constants for autograd.

    Without a generator the samples are those of the published code at test time: the coarse ones at the edges of equal
    parts, the fine ones at even values of the cumulative distribution. With one they are drawn at random.

    Args:
        origins, directions: rays in the networks' world, of any length; in NDC space where `options.near`, `far` are.
        views: unit view directions, where they are not those of the rays.
    """
    if views is None:
        views = torch.nn.functional.normalize(directions, dim=-1)
    distances = coarse_distances(len(origins), options, origins, generator)
    first = _look(coarse, origins, directions, views, distances, options, generator)
    if not options.fine:
        return TwoPassRender(first, None)
    middles = 0.5 * (distances[:, 1:] + distances[:, :-1])
    levels = _levels(len(origins), options.fine, origins, generator)
    drawn = inverse_cdf(middles, first.weights[:, 1:-1].detach(), levels)
    together = torch.sort(torch.cat((distances, drawn), dim=-1), dim=-1).values
    return TwoPassRender(first, _look(fine, origins, directions, views, together, options, generator))


def coarse_distances(
    rays: int, options: TwoPass, like: Tensor, generator: torch.Generator | None = None
) -> Float[Tensor, "r n"]:
    """Evenly spread distances from near to far, both ends included; with a generator each moves within its part."""
    share = torch.linspace(0.0, 1.0, options.coarse).to(like)
    if options.linear_disparity:
        spread = 1.0 / ((1.0 - share) / options.near + share / options.far)
    else:
        spread = options.near * (1.0 - share) + options.far * share
    spread = spread.expand(rays, -1)
    if generator is None:
        return spread
    middles = 0.5 * (spread[:, 1:] + spread[:, :-1])
    lower = torch.cat((spread[:, :1], middles), dim=-1)
    upper = torch.cat((middles, spread[:, -1:]), dim=-1)
    return lower + (upper - lower) * _uniform(rays, options.coarse, like, generator)


def inverse_cdf(
    edges: Float[Tensor, "r k_plus_1"], weights: Float[Tensor, "r k"], levels: Float[Tensor, "r m"]
) -> Float[Tensor, "r m"]:
    """Where the cumulative distribution of weights between edges reaches the levels, linear within each interval."""
    share = weights + FLOOR
    share = share / share.sum(dim=-1, keepdim=True)
    cumulative = torch.cat((torch.zeros_like(share[:, :1]), share.cumsum(dim=-1)), dim=-1)
    above = torch.searchsorted(cumulative, levels.contiguous(), right=True)
    below, above = (above - 1).clamp_min(0), above.clamp_max(cumulative.shape[1] - 1)
    low, high = cumulative.gather(1, below), cumulative.gather(1, above)
    start, end = edges.gather(1, below), edges.gather(1, above)
    width = high - low
    width = torch.where(width < FLOOR, torch.ones_like(width), width)
    return start + (levels - low) / width * (end - start)


def composite_raw(
    raw: Float[Tensor, "r n 4"],
    distances: Float[Tensor, "r n"],
    directions: Float[Tensor, "r 3"],
    *,
    white: bool,
    noise: Float[Tensor, "r n"] | None = None,
) -> Pass:
    """Colours and weights of what a network gave at samples (Mildenhall et al. 2020, equation 3).

    A sample stands for the interval to the next one, the last for all that follows.
    """
    lengths = distances.diff(dim=-1) * directions.norm(dim=-1, keepdim=True)
    density = torch.relu(raw[..., 3] if noise is None else raw[..., 3] + noise)
    thickness = density[:, :-1] * lengths
    last = density[:, -1:] * (ENDLESS * directions.norm(dim=-1, keepdim=True))
    # The last interval is left out of the sum: beside its length all others are lost in rounding.
    before = torch.cat((torch.zeros_like(last), thickness.cumsum(dim=-1)), dim=-1)
    weights = torch.exp(-before) * -torch.expm1(-torch.cat((thickness, last), dim=-1))
    alpha = weights.sum(dim=-1)
    rgb = composite(weights, torch.sigmoid(raw[..., :3]))
    depth = (weights * distances).sum(dim=-1)
    disparity = 1.0 / (depth / alpha.clamp_min(torch.finfo(alpha.dtype).tiny)).clamp_min(1e-10)
    return Pass(rgb + (1.0 - alpha)[:, None] * float(white), alpha, depth, disparity, weights, distances, raw)


def _look(
    net: NerfMlp,
    origins: Tensor,
    directions: Tensor,
    views: Tensor,
    distances: Tensor,
    options: TwoPass,
    generator: torch.Generator | None,
) -> Pass:
    points = origins[:, None] + distances[..., None] * directions[:, None]
    along = views[:, None].expand_as(points)
    raw = net(points.reshape(-1, 3), along.reshape(-1, 3)).reshape(*distances.shape, 4)
    noise = None
    if generator is not None and options.density_noise and net.training:
        drawn = torch.randn(distances.shape, generator=generator, device=generator.device, dtype=raw.dtype)
        noise = options.density_noise * drawn.to(raw.device)
    return composite_raw(raw, distances, directions, white=options.white, noise=noise)


def _levels(rays: int, count: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return torch.linspace(0.0, 1.0, count).to(like).expand(rays, -1)
    return _uniform(rays, count, like, generator)


def _uniform(rays: int, count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(rays, count, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
