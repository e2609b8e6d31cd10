"""Rendering as published (Yu et al. 2021, section 4.3): differentiable, for training and as the twin of `fast`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.field import FieldSamples
from ...render import RayRender, Rays, RaySampleNoise, render_passes
from ...render.passes import SampleRays
from .config import Sampling
from .encoded import Encoded
from .model import PixelNerfNet
from .sparse import SparseQuery


@runtime_checkable
class Query(Protocol):
    """Density and colour at points of b objects, seen along unit directions, by the coarse or the fine network."""

    def __call__(
        self, points: Float[Tensor, "b p 3"], directions: Float[Tensor, "b p 3"], *, fine: bool
    ) -> FieldSamples: ...


def render(
    net: PixelNerfNet,
    encoded: Encoded,
    rays: Float[Tensor, "b r 8"],
    *,
    sampling: Sampling | None = None,
    noise: RaySampleNoise | None = None,
    generator: torch.Generator | None = None,
    points_per_call: int | None = None,
    sparse: bool = False,
) -> RayRender:
    """Render rays (origin, unit direction, near, far) of b encoded objects.

    Args:
        sampling: other than the configuration's.
        noise: of b r rays; None: random from `generator`, and even without it.
        generator: of that, and of the noise on the density where there is any.
        points_per_call: how many points of each object the networks see at once; None for all.
        sparse: whether the backward pass leaves out the samples without a gradient; the same up to rounding, sooner.
    """
    sampling = sampling or net.config.sampling
    noisy = net.training and sampling.noise > 0

    def plain(points: Tensor, directions: Tensor, *, fine: bool) -> FieldSamples:
        return net.query(encoded, points, directions, fine=fine)

    query: Query = plain
    if sparse and not noisy and SparseQuery.knows(net):  # noise gives samples of no density a weight, too
        query = SparseQuery(net, encoded, rays.shape[1] * (sampling.coarse + sampling.fine // 2))
    return render_query(
        query,
        rays,
        sampling,
        noise or RaySampleNoise.draw(len(rays) * rays.shape[1], sampling.rays, generator),
        depth_gradient=net.config.compat.depth_gradient,
        density_noise=generator if noisy else None,
        points_per_call=points_per_call,
    )


def render_query(
    query: Query,
    rays: Float[Tensor, "b r 8"],
    sampling: Sampling,
    noise: RaySampleNoise,
    *,
    depth_gradient: bool = True,
    density_noise: torch.Generator | None = None,
    points_per_call: int | None = None,
) -> RayRender:
    """Render rays of any field; see `render`."""
    along = as_rays(rays)
    noise = noise.reshape(*rays.shape[:2]).to(rays)

    def sampler(fine: bool) -> SampleRays:
        def ask(points: Tensor, directions: Tensor) -> FieldSamples:
            found = query(points, directions, fine=fine)
            if density_noise is None:
                return found
            drawn = torch.randn(found.geometry.shape, generator=density_noise, device=density_noise.device)
            return FieldSamples(torch.relu(found.geometry + sampling.noise * drawn.to(rays)), found.values)

        return along.sampler(ask, points_per_call)

    return render_passes(along, sampling.rays, noise, sampler(False), sampler(True), depth_gradient=depth_gradient)


def as_rays(rays: Float[Tensor, "*r 8"]) -> Rays:
    """Origin, unit direction, near and far as the pipeline takes them."""
    return Rays(rays[..., :3], rays[..., 3:6], rays[..., 6:7], rays[..., 7:8])
