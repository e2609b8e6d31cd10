"""Rays through a scene on a hash grid: samples only in occupied cells that something can be seen of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.spherical_harmonics import spherical_harmonics
from ...render.bounds import ray_sphere
from ...render.chunks import slices
from ...render.occupancy import OccupancyGrid
from ...render.packed import PackedSamples, before_in_ray, composite_packed
from ...render.ray_renderer import RayColors
from .hash_model import HashScene

HIDDEN = 1e-3  # transmittance below which samples are left out
WAVE = 12  # samples of each ray whose densities are asked for at once, from the front
RAYS = 8192  # that are rendered at once
PORTION = 1024  # rays whose samples are looked for at once in training


@torch.no_grad()
def visible_samples(
    net: HashScene,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    *,
    step: float,
    shift: Float[Tensor, " r"] | float = 0.5,
    through: bool = False,
) -> PackedSamples:
    """Samples in equal steps within the sphere, in occupied cells, up to where transmittance ends.

    Args:
        origins: of the rays, in the grid's unit.
        directions: of the rays, of unit length.
        step: in the grid's unit.
        shift: of each ray's samples, 0..1 steps.
        through: go on behind what is opaque, too.
    """
    found = _occupied_samples(net, origins, directions, step, shift)
    return found if through else _in_front(net, origins, directions, found, step)[0]


def _occupied_samples(
    net: HashScene, origins: Tensor, directions: Tensor, step: float, shift: Tensor | float
) -> PackedSamples:
    """Samples within the sphere in occupied cells, also behind what is opaque."""
    grid = net.occupancy
    near, far, hit = ray_sphere(origins, directions, net.bound)
    most = int(2.0 * net.bound / step) + 1
    # Rows of steps and columns of rays: what follows runs over long columns.
    number = torch.arange(most, device=near.device, dtype=near.dtype)[:, None]
    distance = near + (number + shift) * step
    rows = _rows(grid, origins, directions, distance)
    kept = grid.occupied[rows] & (distance < far) & hit
    place, ray = kept.T.nonzero(as_tuple=True)[::-1]
    return PackedSamples(ray, kept.sum(dim=0), distance[place, ray])


def _in_front(
    net: HashScene, origins: Tensor, directions: Tensor, samples: PackedSamples, step: float
) -> tuple[PackedSamples, Tensor]:
    """The samples in front of opaque ones, with their latents: rays are marched until their transmittance is 0.

    The densities are those of the scene itself. Those of the occupancy grid are maxima: by them, what is behind the
    edge of something dense would never be seen, nor learned from.
    """
    ray = samples.ray
    first = samples.counts.cumsum(dim=0) - samples.counts
    wave = (torch.arange(len(ray), device=ray.device) - first[ray]) // WAVE
    passed = torch.zeros_like(origins[:, 0])
    seen = torch.zeros_like(ray, dtype=torch.bool)
    limit = -math.log(HIDDEN)
    known = [origins.new_zeros(0, net.config.network.geo_features + 1)]
    places = [ray[:0]]
    for number in range(int(wave.amax()) + 1 if len(ray) else 0):
        chosen = ((wave == number) & (passed[ray] < limit)).nonzero()[:, 0]
        if not len(chosen):
            break
        own = ray[chosen]
        points = origins[own] + samples.distance[chosen, None] * directions[own]
        latents = net.latents(points)
        thickness = net.density_of(latents).to(passed) * step
        counts = torch.bincount(own, minlength=len(origins))
        before = passed[own] + before_in_ray(thickness, counts, own)
        inside = before < limit
        seen[chosen] = inside
        known.append(latents[inside])
        places.append(chosen[inside])
        passed.index_add_(0, own, thickness)
    order = torch.argsort(torch.cat(places))
    ray = ray[seen]
    return (
        PackedSamples(ray, torch.bincount(ray, minlength=len(origins)), samples.distance[seen]),
        torch.cat(known)[order],
    )


@torch.no_grad()
def samples_within(
    net: HashScene,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    shift: Float[Tensor, " r"],
    *,
    step: float,
    most: int,
    through: bool = False,
) -> tuple[PackedSamples, int]:
    """Visible samples of as many of the rays, from the first on, as have at most that many together; their number."""
    found: list[PackedSamples] = []
    left, rays = most, 0
    for part in slices(len(origins), PORTION):
        own, used = visible_samples(
            net, origins[part], directions[part], step=step, shift=shift[part], through=through
        ).first(left)
        if len(own.ray) > left and found:
            break
        found.append(PackedSamples(own.ray + rays, own.counts, own.distance))
        left, rays = left - len(own.ray), rays + used
        if used < part.stop - part.start or left <= 0:
            break
    together = (torch.cat([getattr(one, name) for one in found]) for name in ("ray", "counts", "distance"))
    return PackedSamples(*together), rays


def _rows(grid: OccupancyGrid, origins: Tensor, directions: Tensor, distance: Tensor) -> Tensor:
    """Cells of samples, one row for each step and one column for each ray."""
    cells, scale = grid.cells, 0.5 * grid.cells / grid.bound
    joined: Tensor | None = None
    for axis in range(3):
        place = torch.addcmul(origins[:, axis] * scale + 0.5 * cells, distance, directions[:, axis] * scale)
        cell = place.int().clamp_(0, cells - 1)
        joined = cell if joined is None else joined.mul_(cells).add_(cell)
    assert joined is not None
    return joined


def render_samples(
    net: HashScene,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    samples: PackedSamples,
    *,
    step: float,
    background: Float[Tensor, "r 3"] | None = None,
    latents: Float[Tensor, "n l"] | None = None,
) -> RayColors:
    """Composite the scene at samples of unit rays in the grid's unit; differentiable in the scene and in the rays.

    Args:
        latents: of the samples where they are known already; without gradients.
    """
    harmonics = spherical_harmonics(directions, net.config.network.degree)
    if latents is None:
        latents = net.latents(samples.points(origins, directions))
    found = net.decoded(latents, harmonics.index_select(0, samples.ray))
    length = torch.full_like(found.geometry, step)
    seen = composite_packed(found.geometry, found.values, length, samples.distance, samples.counts)
    behind = net.background(directions) if background is None else background
    distance = seen.depth / seen.alpha.detach().clamp_min(1e-10)
    return RayColors(seen.rgb + (1.0 - seen.alpha)[:, None] * behind, seen.alpha, distance)


@dataclass(frozen=True, eq=False)
class HashRenderer:
    """A `RayRenderer` of a scene on a hash grid, for rays in the world.

    Attributes:
        net: the scene.
        steps: along the diameter of the sphere; 0 for the scene's own number.
        rays: that are rendered at once.
    """

    net: HashScene
    steps: int = 0
    rays: int = RAYS

    @property
    def background(self) -> tuple[float, float, float] | None:
        """sRGB 0..1; None where it is learned."""
        plain = self.net.config.background
        return None if plain == "learned" else (float(plain == "white"),) * 3

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        step = step_length(self.net, self.steps)
        parts = []
        for part in slices(len(origins), self.rays):
            begin, along = self.net.to_grid(origins[part]), directions[part]
            shift: Tensor | float = 0.5
            if generator is not None:
                shift = torch.rand(len(begin), generator=generator, device=generator.device).to(begin)
            with torch.no_grad():
                samples = _occupied_samples(self.net, begin, along, step, shift)
                samples, latents = _in_front(self.net, begin, along, samples, step)
            known = None if torch.is_grad_enabled() else latents
            parts.append(render_samples(self.net, begin, along, samples, step=step, latents=known))
        if not parts:
            return RayColors(origins.new_zeros(0, 3), origins.new_zeros(0), origins.new_zeros(0))
        to_world = self.net.config.radius / 0.5
        return RayColors(
            torch.cat([seen.rgb for seen in parts]),
            torch.cat([seen.alpha for seen in parts]),
            torch.cat([seen.distance for seen in parts]).detach() * to_world,
        )


def step_length(net: HashScene, steps: int = 0) -> float:
    """Length of a step, in the grid's unit."""
    return 2.0 * net.bound / (steps or net.config.steps)
