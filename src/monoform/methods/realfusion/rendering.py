"""Rays through the field: samples in occupied cells, shaded and composited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...render.march import MarchSamples, box_limits, march
from ...render.packed import composite_packed
from .model import RealFusionField
from .shading import Shading, normals, shade


@dataclass(frozen=True, eq=False)
class Look:
    """How a field is looked at.

    Attributes:
        shading: of its surface.
        ambient: share of the light that comes from everywhere.
        light: unit vector towards the light; None: from the first ray's origin.
        noise: 0..1, by how much of a step each ray begins later; None for not at all.
        background: behind it, 0..1; None for the learned one.
        zero_depth_clock: depth begins at 0 where the ray enters the box, as in the published training.
        shaped: distances are differentiable, too.
    """

    shading: Shading = "albedo"
    ambient: float = 1.0
    light: Float[Tensor, " 3"] | None = None
    noise: Float[Tensor, " r"] | None = None
    background: Float[Tensor, "r 3"] | float | None = None
    zero_depth_clock: bool = False
    shaped: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """What rays see.

    Attributes:
        image: over the background, 0..1.
        alpha: coverage 0..1.
        distance: sum of weight times distance along the ray, in world units.
        depth: the same from where the ray enters the box (0) to where it leaves it (1); 0 where it misses.
        normals: composited, of length at most 1; 0 where nothing is.
        hit: whether the ray meets the box.
    """

    image: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    distance: Float[Tensor, " r"]
    depth: Float[Tensor, " r"]
    normals: Float[Tensor, "r 3"]
    hit: Bool[Tensor, " r"]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Samples of rays with what the field holds there.

    Attributes:
        samples: along the rays.
        points: in the world.
        toward: direction of the ray of each.
        density: per world unit.
        normals: unit vectors.
    """

    samples: MarchSamples
    points: Float[Tensor, "m 3"]
    toward: Float[Tensor, "m 3"]
    density: Float[Tensor, " m"]
    normals: Float[Tensor, "m 3"]


def render(
    field: RealFusionField, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], look: Look
) -> tuple[Seen, Sampled]:
    """Rays of about unit length through the box; differentiable in the field."""
    near, far = box_limits(origins, directions, _box(field), field.config.nearest)
    samples = march(field.occupancy, origins, directions, near, far, field.config.march(), noise=look.noise)
    points = samples.points(origins, directions).clamp(-field.config.bound, field.config.bound)
    density, albedo = field.query(points)
    normal = normals(field, points)
    light = unit_light(origins) if look.light is None else look.light
    colors = shade(albedo, normal, light, look.shading, look.ambient)
    ends = samples.distance + samples.length
    # Colors, normals and distances are sums with the same weights.
    sums = torch.cat((colors, normal, ends[:, None]) if look.shaped else (colors, normal), dim=1)
    seen = composite_packed(density, sums, samples.length, ends, samples.counts)
    behind = field.background(directions) if look.background is None else look.background
    image = seen.rgb[:, :3] + (1.0 - seen.alpha)[:, None] * behind
    hit = near < far
    begin = 0.0 if not look.zero_depth_clock else _begin(samples, near)
    depth = (seen.depth - begin * seen.alpha.detach() - near).clamp_min(0.0) / (far - near)
    distance = seen.rgb[:, 6] if look.shaped else seen.depth
    found = Seen(image, seen.alpha, distance, torch.where(hit, depth, 0.0), seen.rgb[:, 3:6], hit)
    return found, Sampled(samples, points, directions.index_select(0, samples.ray), density, normal)


def render_chunks(
    field: RealFusionField, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], look: Look
) -> Seen:
    """The same of any number of rays, some after the others, without noise."""
    light = unit_light(origins) if look.light is None else look.light
    own = Look(look.shading, look.ambient, light, None, look.background)
    return joined(field.rays.map(lambda part: render(field, origins[part], directions[part], own)[0], len(origins)))


def joined(parts: Sequence[Seen]) -> Seen:
    """What rays see that were drawn in several parts."""
    return Seen(**{name: torch.cat([getattr(one, name) for one in parts]) for name in Seen.__dataclass_fields__})


def unit_light(origins: Float[Tensor, "r 3"], draw: Float[Tensor, " 3"] | None = None) -> Float[Tensor, " 3"]:
    """Direction of a light at the first ray's origin, moved by a draw."""
    place = origins[0] if draw is None else origins[0] + draw
    return torch.nn.functional.normalize(place, dim=0)


def _begin(samples: MarchSamples, near: Tensor) -> Tensor:
    """Where the first step of each ray begins; its entry into the box where it has no sample."""
    first = samples.counts.cumsum(dim=0) - samples.counts
    begin, some = near.clone(), samples.counts > 0
    starts = first[some]
    begin[some] = samples.distance[starts] + samples.length[starts] - samples.gap[starts]
    return begin


def _box(field: RealFusionField) -> Float[Tensor, "2 3"]:
    corner = field.encoder.embeddings.new_tensor([[-1.0], [1.0]])
    return (corner * field.config.bound).expand(2, 3)
