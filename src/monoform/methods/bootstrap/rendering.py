"""What cameras see of objects: stratified and importance samples, one composite (Pavllo et al. 2023, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...nn.field import FieldSamples
from ...render import Rays as RayBundle
from ...render import RaySampleNoise, RaySampling, ray_box, render_passes
from .config import BootstrapConfig
from .decoder import Objects

NEAREST = 0.1
SHORTEST = 1e-3
"""World units from a camera at which rays begin at the earliest, and length of a ray at the least."""


@dataclass(frozen=True)
class Maps:
    """What is asked for beside color, opacity and depth.

    Attributes:
        palette: weights of the palette's colors.
        coordinates: places in the world.
        normals: of the surface, without gradient.
    """

    palette: bool = False
    coordinates: bool = False
    normals: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """What rays or pixels see.

    Attributes:
        rgb: -1..1, on the background.
        alpha: coverage 0..1.
        depth: sum of weight x distance along the ray, world units; not divided by the coverage.
        hit: whether the ray meets the objects' cube in front of its camera; without one there is nothing to be seen.
        palette: composited weights of the palette, not divided by the coverage.
        coordinates: composited places in the world, not divided by the coverage.
        normals: composited unit normals, white where the background is.
    """

    rgb: Float[Tensor, "... 3"]
    alpha: Float[Tensor, ...]
    depth: Float[Tensor, ...]
    hit: Bool[Tensor, ...]
    palette: Float[Tensor, "... k"] | None = None
    coordinates: Float[Tensor, "... 3"] | None = None
    normals: Float[Tensor, "... 3"] | None = None

    def unflatten(self, height: int, width: int) -> Seen:
        """Rays in the order of pixels, row by row, as maps."""
        parts = {name: value for name, value in vars(self).items() if value is not None}
        return Seen(**{name: value.unflatten(1, (height, width)) for name, value in parts.items()})


def sampling_of(config: BootstrapConfig) -> RaySampling:
    """The quadrature as the pipeline takes it; rays have unit directions."""
    return RaySampling(
        coarse=config.rays.coarse,
        fine=config.rays.fine,
        strata="edges",
        intervals="next",
        last="zero" if config.compat.zero_last else "far",
        metric=False,
        importance="inner",
        pooled=True,
        background=(config.scene.background,) * 3,
    )


def places_of(shape: tuple[int, int], config: BootstrapConfig, generator: torch.Generator | None) -> RaySampleNoise:
    """Where rays are sampled: by chance with a generator, the same for all without."""
    found = RaySampleNoise.draw(shape, sampling_of(config), generator)
    if generator is None and config.compat.left_edges:
        found = replace(found, strata=torch.zeros_like(found.strata))
    return found


def limits(
    origins: Float[Tensor, "n r 3"], directions: Float[Tensor, "n r 3"], half_side: float
) -> tuple[Float[Tensor, "n r 1"], Float[Tensor, "n r 1"], Bool[Tensor, "n r"]]:
    """Where rays enter and leave the cube, without gradient, and which of them do so before them.

    A ray that misses it, where nothing is, is sampled from the least entry to the last exit of all the others; where
    all of them miss, at the camera.
    """
    half = torch.full((3,), half_side).to(origins)
    flat = origins.detach().reshape(-1, 3), directions.detach().reshape(-1, 3)
    near, far, hit = ray_box(*flat, torch.stack((-half, half)), backwards=True, reciprocal=True)
    if bool(hit.any()):
        near, far = torch.where(hit, near, near[hit].min()), torch.where(hit, far, far[hit].max())
    hit = hit & (far > 0)
    near, far = near.clamp_min(NEAREST), far.clamp_min(NEAREST)
    far = torch.where(far - near < SHORTEST, near + SHORTEST, far)
    shape = origins.shape[:-1]
    return near.reshape(*shape, 1), far.reshape(*shape, 1), hit.reshape(shape)


class RaySamples:
    """Samples objects at distances along rays; what depends on the direction alone is computed once for each ray."""

    def __init__(self, objects: Objects, rays: RayBundle, maps: Maps) -> None:
        self.objects, self.rays, self.maps = objects, rays, maps
        self.seen_from = objects.seen_from(rays.directions)

    def __call__(self, distances: Float[Tensor, "n r k"]) -> FieldSamples:
        points = self.rays.origins[..., None, :] + distances[..., None] * self.rays.directions[..., None, :]
        along = self.seen_from
        if along is not None:
            along = along[..., None, :].expand(*distances.shape, along.shape[-1]).flatten(1, 2)
        found = self.objects.sample(points.flatten(1, 2), along, normals=self.maps.normals)
        values = [found.rgb]
        if self.maps.palette and found.palette_weights is not None:
            values.append(found.palette_weights)
        if self.maps.coordinates:
            values.append(points.flatten(1, 2))
        if found.normals is not None:
            values.append(found.normals)
        return FieldSamples(
            found.density.reshape(distances.shape), torch.cat(values, dim=-1).reshape(*distances.shape, -1)
        )


def see(
    objects: Objects,
    origins: Float[Tensor, "n r 3"],
    directions: Float[Tensor, "n r 3"],
    noise: RaySampleNoise,
    config: BootstrapConfig,
    maps: Maps | None = None,
) -> Seen:
    """Render rays of unit direction; differentiable in the objects and in the rays.

    Args:
        objects: that are seen.
        noise: where rays are sampled.
        config: of the generator.
        maps: what is asked for beside color, opacity and depth.
    """
    maps = maps or Maps()
    near, far, hit = limits(origins, directions, objects.parts.half_side)
    bundle = RayBundle(origins, directions, near, far)
    samples = RaySamples(objects, bundle, maps)
    found = render_passes(bundle, sampling_of(config), noise.to(origins), samples).best
    rgb, rest = found.values[..., :3], found.values[..., 3:]
    palette = coordinates = normals = None
    if maps.palette and objects.palette is not None:
        palette, rest = rest.tensor_split([objects.palette.shape[1]], dim=-1)
    if maps.coordinates:
        coordinates, rest = rest.tensor_split([3], dim=-1)
    if maps.normals:
        normals = (rest + config.scene.background * (1 - found.alpha)[..., None]).detach()
    return Seen(rgb, found.alpha, found.depth, hit, palette, coordinates, normals)
