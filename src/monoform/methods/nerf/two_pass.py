"""NeRF's two networks on the ray pipeline (Mildenhall et al. 2020, section 5.2, sampled as the published code does)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.field import FieldSamples
from ...nn.nerf_mlp import NerfMlp
from ...render import RayRender, Rays, RaySampleNoise, render_passes
from ...render.passes import Query
from .frequency_config import TwoPass


def render_two_pass(
    coarse: NerfMlp,
    fine: NerfMlp,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    options: TwoPass,
    *,
    views: Float[Tensor, "r 3"] | None = None,
    generator: torch.Generator | None = None,
) -> RayRender:
    """Render rays; differentiable in the networks and in the rays, the distances are constants for autograd.

    Without a generator the samples are those of the published code at test time: the coarse ones at the edges of equal
    parts, the fine ones at even values of the cumulative distribution. With one they are drawn at random.

    Args:
        origins: of the rays in the networks' world; in NDC space where `options.near`, `far` are.
        directions: of any length.
        views: unit view directions, where they are not those of the rays.
    """
    if views is None:
        views = torch.nn.functional.normalize(directions, dim=-1)
    sampling = options.rays
    noise = RaySampleNoise.draw(len(origins), sampling, generator)
    near, far = (torch.full_like(origins[:, :1], end) for end in (options.near, options.far))
    rays = Rays(origins, directions, near, far, views)
    passes = (rays.sampler(network_query(net, options, generator)) for net in (coarse, fine))
    return render_passes(rays, sampling, noise.to(origins), *passes)


def network_query(net: NerfMlp, options: TwoPass, generator: torch.Generator | None = None) -> Query:
    """What a network says of points; in training with noise on the raw density where the options say so."""

    def query(points: Tensor, directions: Tensor) -> FieldSamples:
        raw = net(points, directions)
        noise = None
        if generator is not None and options.density_noise and net.training:
            drawn = torch.randn(raw.shape[:-1], generator=generator, device=generator.device, dtype=raw.dtype)
            noise = options.density_noise * drawn.to(raw.device)
        return field_samples(raw, noise)

    return query


def field_samples(raw: Float[Tensor, "*n 4"], noise: Float[Tensor, "*n"] | None = None) -> FieldSamples:
    """Density by ReLU and sRGB by the logistic function, of what a network gives."""
    density = raw[..., 3] if noise is None else raw[..., 3] + noise
    return FieldSamples(torch.relu(density), torch.sigmoid(raw[..., :3]))
