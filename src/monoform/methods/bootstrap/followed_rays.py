"""What rays see, with a graph of the few samples alone that decide about it: the quick twin of `rendering.see`.

Most samples lie in empty space or behind a surface. Where samples are, and what a ray's light is stopped by, is found
without a graph; what a sample with a share in its pixel holds is asked once more, with one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...render import Rays as RayBundle
from ...render import RaySampleNoise
from ...render.compositing import weights_from_density
from ...render.intervals import lengths_to_next
from ...render.sampling import RaySampling, coarse_distances, fine_distances
from .config import BootstrapConfig
from .decoder import Objects
from .rendering import limits, sampling_of


@dataclass(frozen=True, eq=False)
class Followed:
    """What rays see.

    Attributes:
        rgb: -1..1, on the background.
        alpha: coverage 0..1.
    """

    rgb: Float[Tensor, "... 3"]
    alpha: Float[Tensor, ...]


def follow(
    objects: Objects,
    origins: Float[Tensor, "n r 3"],
    directions: Float[Tensor, "n r 3"],
    noise: RaySampleNoise,
    config: BootstrapConfig,
    least: float,
) -> Followed:
    """Render rays of unit direction as `see` does; differentiable in the objects and in the rays.

    Args:
        least: a sample with a smaller share in its pixel adds no color and has no gradient; its density stays.
    """
    near, far, _ = limits(origins, directions, objects.parts.half_side)
    rays, sampling = RayBundle(origins, directions, near, far), sampling_of(config)
    with torch.no_grad():
        distances, density = _sampled(objects, rays, noise.to(origins), sampling)
        lengths = lengths_to_next(distances, far, sampling.last)
        counts = weights_from_density(density, lengths) > least
    parts = [_asked(objects[image], rays, image, distances[image], counts[image]) for image in range(len(origins))]
    dense, rgb = (torch.cat(each) for each in zip(*parts, strict=True))
    dense, rgb = dense.to(density), rgb.to(density)  # as low as a training's precision
    density = density.masked_scatter(counts, dense)
    weights = weights_from_density(density, lengths)
    alpha = weights.sum(dim=-1)
    ray = counts.flatten(0, 1).nonzero()[:, 0]
    seen = rgb.new_zeros(alpha.numel(), 3).index_add(0, ray, weights[counts][:, None] * rgb)
    behind = (1.0 - alpha)[..., None] * config.scene.background
    return Followed(seen.reshape(origins.shape) + behind, alpha)


def _sampled(
    objects: Objects, rays: RayBundle, noise: RaySampleNoise, sampling: RaySampling
) -> tuple[Float[Tensor, "n r k"], Float[Tensor, "n r k"]]:
    """Ascending distances along rays, and densities there."""
    near, far = rays.near, rays.far

    def density(distances: Tensor) -> Tensor:
        points = rays.origins[..., None, :] + distances[..., None] * rays.directions[..., None, :]
        flat = points.flatten(1, 2)
        return objects.parts.density(objects.geometry(flat)[0], flat).reshape(distances.shape)

    distances = coarse_distances(near, far, noise.strata, sampling)
    found = density(distances)
    if not sampling.fine:
        return distances, found
    weights = weights_from_density(found, lengths_to_next(distances, far, sampling.last))
    further = fine_distances(near, far, distances, weights, weights[..., 0], noise, sampling)
    together, order = torch.sort(torch.cat((distances, further), dim=-1), dim=-1)
    return together, torch.cat((found, density(further)), dim=-1).gather(-1, order)


def _asked(
    objects: Objects, rays: RayBundle, image: int, distances: Float[Tensor, "r k"], counts: Bool[Tensor, "r k"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, "m 3"]]:
    """Densities and colors of the samples that count, ray by ray."""
    ray = counts.nonzero()[:, 0]
    directions = rays.directions[image]
    points = rays.origins[image][ray] + distances[counts][:, None] * directions[ray]
    along = objects.seen_from(directions)
    found = objects.sample(points[None], None if along is None else along[ray][None])
    return found.density[0], found.rgb[0]
