"""From samples along rays to what is seen: a coarse pass, and a fine one where the coarse found something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, softplus

from ..nn.field import FieldSamples
from .compositing import accumulate, expected_distance, weights_from_density, weights_from_sdf
from .intervals import interval_edges, lengths_to_next, middles
from .sampling import RaySampleNoise, RaySampling, coarse_distances, fine_distances


@runtime_checkable
class Query(Protocol):
    """Samples of a field at points along unit directions: `Field.query`, or a network of one's own."""

    def __call__(self, points: Float[Tensor, "*b p 3"], directions: Float[Tensor, "*b p 3"]) -> FieldSamples: ...


@runtime_checkable
class SampleRays(Protocol):
    """Samples of a field at distances along the rays that are being rendered."""

    def __call__(self, distances: Float[Tensor, "*r k"]) -> FieldSamples: ...


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays and where they are sampled.

    Attributes:
        origins: in the field's world.
        directions: of any length.
        near: where sampling begins, in lengths of the direction.
        far: where it ends.
        views: unit view directions, where they are not those of the rays.
    """

    origins: Float[Tensor, "... 3"]
    directions: Float[Tensor, "... 3"]
    near: Float[Tensor, "... 1"]
    far: Float[Tensor, "... 1"]
    views: Float[Tensor, "... 3"] | None = None

    def sampler(self, query: Query, points_per_call: int | None = None) -> SampleRays:
        """Asks a query for all samples, in pieces where that is wanted."""
        views = self.directions if self.views is None else self.views

        def sample(distances: Tensor) -> FieldSamples:
            points = self.origins[..., None, :] + distances[..., None] * self.directions[..., None, :]
            along = views[..., None, :].expand_as(points)
            points, along = points.flatten(-3, -2), along.flatten(-3, -2)
            pieces = _pieces(points.shape[-2], points_per_call)
            parts = [query(points[..., part, :], along[..., part, :]) for part in pieces]
            geometry = torch.cat([part.geometry for part in parts], dim=-1)
            values = torch.cat([part.values for part in parts], dim=-2)
            return FieldSamples(geometry.reshape(distances.shape), values.reshape(*distances.shape, -1))

        return sample


@dataclass(frozen=True, eq=False)
class RayPass:
    """What rays see in one pass.

    Attributes:
        values: sRGB on the background, and the accumulated further channels.
        alpha: coverage 0..1.
        depth: sum of weight x distance, not divided by the coverage.
        weights: of the samples.
        distances: that the weights belong to: of the samples, or half way between them; in lengths of the rays'
            directions.
        samples: distances at which the field was asked.
    """

    values: Float[Tensor, "... c"]
    alpha: Float[Tensor, ...]
    depth: Float[Tensor, ...]
    weights: Float[Tensor, "... k"]
    distances: Float[Tensor, "... k"]
    samples: Float[Tensor, "... s"]

    @property
    def rgb(self) -> Float[Tensor, "*r 3"]:
        """sRGB on the background."""
        return self.values[..., :3]

    @property
    def distance(self) -> Float[Tensor, "*r"]:
        """Mean distance of what is seen; 0 where nothing is."""
        return expected_distance(self.weights, self.distances)

    @property
    def disparity(self) -> Float[Tensor, "*r"]:
        """alpha / depth, at most 1e10."""
        return 1.0 / (self.depth / self.alpha.clamp_min(torch.finfo(self.alpha.dtype).tiny)).clamp_min(1e-10)


@dataclass(frozen=True, eq=False)
class RayRender:
    """What rays see in each pass.

    Attributes:
        coarse: pass over stratified samples.
        fine: pass over all samples; None where there is one pass alone.
    """

    coarse: RayPass
    fine: RayPass | None

    @property
    def best(self) -> RayPass:
        """The fine pass, else the coarse one."""
        return self.coarse if self.fine is None else self.fine


def render_passes(
    rays: Rays,
    sampling: RaySampling,
    noise: RaySampleNoise,
    coarse: SampleRays,
    fine: SampleRays | None = None,
    *,
    kind: Literal["density", "sdf"] = "density",
    depth_gradient: bool = False,
) -> RayRender:
    """Render rays; differentiable in the field and in the rays, sample positions are constants for autograd.

    Args:
        rays: what to render.
        sampling: how.
        noise: of the same rays.
        coarse: samples the field.
        fine: samples a second network, at all distances of both passes; None: the same field, which is asked once for
            each sample.
        kind: what the geometry is.
        depth_gradient: whether samples around the coarse depth carry its gradient.
    """
    near, far = rays.near, rays.far
    scale = rays.directions.norm(dim=-1, keepdim=True) if sampling.metric else torch.ones_like(near)
    distances = coarse_distances(near, far, noise.strata, sampling)
    samples = coarse(distances)
    first = composite(samples, distances, near, far, sampling, scale=scale, kind=kind)
    if not sampling.fine:
        return RayRender(first, None)
    weights = first.weights
    if kind == "sdf":
        # Softened to the sample spacing, a surface between two samples draws the fine ones to both of its sides.
        weights = weights_from_sdf(samples.geometry.detach(), ((far - near) / sampling.coarse).clamp_min(sampling.beta))
    depth = first.depth if depth_gradient else first.depth.detach()
    further = fine_distances(near, far, distances, weights, depth, noise, sampling)
    together, order = torch.sort(torch.cat((distances, further), dim=-1), dim=-1)
    if fine is not None:
        return RayRender(first, composite(fine(together), together, near, far, sampling, scale=scale, kind=kind))
    both = samples, coarse(further)
    geometry = torch.cat([one.geometry for one in both], dim=-1).gather(-1, order)
    shares = ray_shares(geometry, together, near, far, sampling, scale=scale, kind=kind)
    # The weights go back to where the samples are: there is far more of the values than of them.
    weights = torch.zeros_like(shares.of_samples).scatter(-1, order, shares.of_samples)
    parts = weights.split([one.geometry.shape[-1] for one in both], dim=-1)
    seen = accumulate(parts[0], both[0].values) + accumulate(parts[1], both[1].values)
    return RayRender(first, shares.seen_as(seen, together, sampling))


@dataclass(frozen=True, eq=False)
class RayShares:
    """What intervals of rays have in a pixel.

    Attributes:
        weights: of the intervals.
        distances: where the intervals are.
        of_samples: the same weights, shared out among the samples that the intervals are seen by.
    """

    weights: Float[Tensor, "... k"]
    distances: Float[Tensor, "... k"]
    of_samples: Float[Tensor, "... s"]

    def seen_as(self, seen: Float[Tensor, "*r c"], asked: Float[Tensor, "*r s"], sampling: RaySampling) -> RayPass:
        """The pass in which these colors were accumulated, over black; on the background."""
        alpha = self.weights.sum(dim=-1)
        behind = seen.new_tensor(sampling.background)
        seen = torch.cat((seen[..., :3] + (1.0 - alpha)[..., None] * behind, seen[..., 3:]), dim=-1)
        depth = (self.weights * self.distances).sum(dim=-1)
        return RayPass(seen, alpha, depth, self.weights, self.distances, asked)


def composite(
    samples: FieldSamples,
    distances: Float[Tensor, "*r k"],
    near: Float[Tensor, "*r 1"],
    far: Float[Tensor, "*r 1"],
    sampling: RaySampling,
    *,
    scale: Float[Tensor, "*r 1"] | float = 1.0,
    kind: Literal["density", "sdf"] = "density",
) -> RayPass:
    """Composite ascending samples along rays.

    Args:
        scale: world units per unit of the distances.
    """
    shares = ray_shares(samples.geometry, distances, near, far, sampling, scale=scale, kind=kind)
    return shares.seen_as(accumulate(shares.of_samples, samples.values), distances, sampling)


def ray_shares(
    geometry: Float[Tensor, "*r k"],
    distances: Float[Tensor, "*r k"],
    near: Float[Tensor, "*r 1"],
    far: Float[Tensor, "*r 1"],
    sampling: RaySampling,
    *,
    scale: Float[Tensor, "*r 1"] | float = 1.0,
    kind: Literal["density", "sdf"] = "density",
) -> RayShares:
    """What the intervals of ascending samples have in a pixel; see `composite`."""
    if kind == "sdf":
        return _between(weights_from_sdf(geometry, sampling.beta), distances)
    if sampling.intervals == "between":
        density = as_density(middles(geometry), sampling)
        return _between(weights_from_density(density, distances.diff(dim=-1) * scale), distances)
    if sampling.intervals == "around":
        lengths = interval_edges(distances, near, far).diff(dim=-1)
    else:
        lengths = lengths_to_next(distances, far, sampling.last)
    weights = weights_from_density(as_density(geometry, sampling), lengths * scale)
    return RayShares(weights, distances, weights)


def _between(weights: Tensor, distances: Tensor) -> RayShares:
    """Intervals between samples hold the mean of what their two ends hold."""
    of_samples = 0.5 * (pad(weights, (0, 1)) + pad(weights, (1, 0)))
    return RayShares(weights, middles(distances), of_samples)


def as_density(geometry: Float[Tensor, "*r k"], sampling: RaySampling) -> Float[Tensor, "*r k"]:
    """The density that a field's geometry stands for."""
    return softplus(geometry - 1) if sampling.density == "softplus" else geometry


def _pieces(total: int, size: int | None) -> Iterator[slice]:
    step = size or max(total, 1)
    return (slice(start, start + step) for start in range(0, total, step))
