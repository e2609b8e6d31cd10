"""How rays see the field in the cube (section 2 of the paper; the quadrature is that of the release)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...nn.field import FieldSamples
from ...render.passes import RayPass, Rays, render_passes
from ...render.sampling import RaySampleNoise, RaySampling
from .config import Rendering

SHRUNK = 0.999  # of the cube that rays are sampled in
PARALLEL = 1e-6  # a direction's least part along an axis
SHORTEST = 0.01  # way through the cube that is sampled
Ask = Callable[[Float[Tensor, "n 3"]], tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]]


def through_cube(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    radius: float,
    *,
    nearest: float = 0.0,
    shortest: float = SHORTEST,
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"], Bool[Tensor, " r"]]:
    """Where rays enter and leave a cube that is a little smaller, and who does: both are 0 for the others.

    Args:
        directions: unit.
        radius: half the side of the cube.
        nearest: distance at which a ray begins.
        shortest: way through the cube below which a ray misses it.
    """
    parallel = directions.abs() < PARALLEL
    safe = torch.where(parallel, torch.full_like(directions, PARALLEL), directions)
    side = SHRUNK * radius
    crossings = torch.stack(((-side - origins) / safe, (side - origins) / safe))
    enter, leave = crossings.amin(0).amax(-1).clamp_min(nearest), crossings.amax(0).amin(-1)
    hit = leave - enter > shortest
    zero = torch.zeros_like(enter)
    return torch.where(hit, enter, zero), torch.where(hit, leave, zero), hit


def sampling_of(rendering: Rendering) -> RaySampling:
    """The quadrature: the middles of equal parts of the way through the cube, on white."""
    return RaySampling(coarse=rendering.samples, fine=0, metric=rendering.metric)


def render(
    ask: Ask,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    rendering: Rendering,
    *,
    generator: torch.Generator | None = None,
) -> tuple[RayPass, Bool[Tensor, " r"]]:
    """What the rays that meet the cube see, and which these are; differentiable in the field.

    Densities count per way through the cube, unless they are metric. Distances are in the network's units.

    Args:
        ask: density and color 0..1 at points.
        directions: unit.
        generator: of places within the equal parts, for training; None: their middles.
    """
    near, far, hit = through_cube(origins, directions, rendering.radius)
    near, far, start, along = near[hit, None], far[hit, None], origins[hit], directions[hit]
    sampling = sampling_of(rendering)
    noise = RaySampleNoise.draw(len(start), sampling, generator).to(start)
    if rendering.metric:
        rays = Rays(start, along, near, far)
    else:  # a ray whose length is the way through the cube, from 0 to 1
        rays = Rays(start + near * along, (far - near) * along, torch.zeros_like(near), torch.ones_like(far))

    def query(points: Float[Tensor, "p 3"], directions: Float[Tensor, "p 3"]) -> FieldSamples:
        del directions
        return FieldSamples(*ask(points))

    seen = render_passes(rays, sampling, noise, rays.sampler(query)).best
    if rendering.metric:
        return seen, hit
    return _in_units(seen, near, far), hit


def _in_units(seen: RayPass, near: Float[Tensor, "r 1"], far: Float[Tensor, "r 1"]) -> RayPass:
    """Shares of the way through the cube as distances."""
    distances, samples = (near + (far - near) * each for each in (seen.distances, seen.samples))
    return RayPass(seen.values, seen.alpha, (seen.weights * distances).sum(-1), seen.weights, distances, samples)
