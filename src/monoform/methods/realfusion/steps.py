"""One step of a fit: a view that the prior judges, and rays of the photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...memory import Portions
from . import losses
from .annealed import annealed
from .cameras import FRONT
from .fit_options import FitOptions
from .model import RealFusionField
from .rendering import Look, Sampled, Seen, unit_light
from .shading import Shading, normals
from .view_parts import render_parts

AMBIENT = {"albedo": 1.0, "textureless": 0.1, "lambertian": 0.1, "normal": 1.0}
ALBEDO_ABOVE, TEXTURELESS_ABOVE = 0.8, 0.4
THIN = 1e-4  # coverage below which there is no surface whose depth could be told
BLOCK = 128  # samples that the published renderer fills up


@dataclass(frozen=True, eq=False)
class PriorDraws:
    """Random numbers of a prior's view.

    Attributes:
        shading: 0..1.
        light: normal.
        march: 0..1, of each ray.
        moved: normal, of the rays' origins and directions.
    """

    shading: float
    light: Float[Tensor, " 3"]
    march: Float[Tensor, " r"]
    moved: Float[Tensor, "2 3"]

    @classmethod
    def draw(cls, rays: int, generator: torch.Generator) -> PriorDraws:
        """New ones."""
        place = generator.device
        return cls(
            float(torch.rand((), generator=generator, device=place)),
            torch.randn(3, generator=generator, device=place),
            torch.rand(rays, generator=generator, device=place),
            torch.randn(2, 3, generator=generator, device=place),
        )


@dataclass(frozen=True)
class Choice:
    """What a view of the prior is like.

    Attributes:
        replaced: the published condition for another camera holds.
        own: the camera is the photo's.
        shading: of the surface.
        ambient: share of the light that comes from everywhere.
    """

    replaced: bool
    own: bool
    shading: Shading
    ambient: float


def choose(step: int, draw: float, options: FitOptions) -> Choice:
    """Camera and shading of a step.

    Args:
        draw: 0..1, of the shading.
    """
    every = options.views.replace_every
    due = every > 0 and step % every == 0
    inverted = options.compat.inverted_replacement
    shading: Shading = "albedo"
    if step < options.normal_steps:
        shading = "normal"
    elif step >= options.albedo_steps and draw <= ALBEDO_ABOVE:
        shading = "textureless" if draw > TEXTURELESS_ABOVE else "lambertian"
    return Choice(inverted and every > 0 and not due, due and not inverted, shading, AMBIENT[shading])


def moved(
    origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], draws: Float[Tensor, "2 3"], noise: float
) -> tuple[Float[Tensor, "r 3"], Float[Tensor, "r 3"]]:
    """Rays of which all origins and all directions have got one offset each; directions stay as long as they are."""
    return origins + noise * draws[0], directions + noise * draws[1]


def prompt_of(label: Int[Tensor, " b"], choice: Choice) -> Int[Tensor, " b"]:
    """Indices of the prompts of views: those of their labels, or of the front where cameras count as replaced."""
    return torch.full_like(label, FRONT) if choice.replaced else label


class Terms:
    """Weighted losses as they are summed, and their values.

    Args:
        options: weights.
        step: of the fit.
    """

    def __init__(self, options: FitOptions, step: int) -> None:
        self.options, self.step = options, step
        self.total: Tensor | float = 0.0
        self.values: dict[str, Tensor] = {}
        self.live: dict[str, Tensor] = {}

    def weight(self, name: str) -> float:
        """The weight of a loss at this step."""
        found = getattr(self.options.losses, name)
        return annealed(found, self.step, self.options.steps, published=self.options.compat.constant_annealing)

    def add(self, name: str, loss: Tensor) -> None:
        """Take in a loss; one of weight 0 is shown only."""
        weight = self.weight(name)
        self.live[name], self.values[name] = loss, loss.detach()
        if weight:
            self.total = self.total + weight * loss


def add_view_terms(
    terms: Terms, alpha: Float[Tensor, "b r"], maps: Float[Tensor, "b 3 h w"], orient: Tensor, smooth: Tensor | None
) -> None:
    """What any view should be like: nearly solid or empty, facing the viewer, smooth.

    Args:
        maps: composited normals.
        smooth: change of the normals from point to point; None where it has no weight.
    """
    terms.add("opacity", losses.opacity(alpha.flatten()))
    terms.add("entropy", losses.entropy(alpha.flatten()))
    terms.add("orient", orient)
    if smooth is not None:
        terms.add("smooth", smooth)
    terms.add("smooth_2d", losses.map_smoothness(maps))


def padded_rows(count: int) -> int:
    """Samples as the published renderer fills them up: a whole block more where they fill the last one."""
    return count + BLOCK - count % BLOCK


def orientation_of(sampled: Sampled, options: FitOptions) -> Float[Tensor, ""]:
    """How far visible normals turn away."""
    rows = padded_rows(len(sampled.density)) if options.compat.padded_means else None
    return losses.orientation(sampled.density, sampled.normals, sampled.toward, rows)


def smoothness_of(
    field: RealFusionField,
    sampled: Sampled,
    draws: Float[Tensor, "m 3"],
    options: FitOptions,
    portions: Portions | None = None,
) -> Float[Tensor, ""]:
    """Change of the normals by a small move of their points.

    Args:
        draws: normal, of each sample; of those that fill the last block, too, where these count.
        portions: of points whose normals are found at once; None: all.
    """
    points, own = sampled.points, sampled.normals
    if options.compat.padded_means:
        rows = padded_rows(len(points)) - len(points)
        filling = points.new_zeros(rows, 3)
        points, own = torch.cat((points, filling)), torch.cat((own, normals(field, filling)))
    places = points + losses.PERTURB * draws
    found = (portions or Portions("points")).checkpointed(lambda part: normals(field, places[part]), len(places))
    return losses.smoothness(own, torch.cat(found))


def prior_view(
    field: RealFusionField,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    choice: Choice,
    draws: PriorDraws,
    options: FitOptions,
    portions: Portions | None = None,
) -> tuple[Seen, Sampled]:
    """The view that the prior judges.

    Args:
        portions: of rays that are drawn at once; None: all.
    """
    if choice.replaced or choice.own:
        origins, directions = moved(origins, directions, draws.moved, options.views.replace_noise)
    light = unit_light(origins, draws.light)
    clock = options.compat.zero_depth_clock
    look = Look(choice.shading, choice.ambient, light, draws.march, zero_depth_clock=clock)
    return render_parts(field, origins, directions, look, portions or Portions("rays"))


@dataclass(frozen=True, eq=False)
class PhotoRays:
    """Rays of the photo with what it shows.

    Attributes:
        origins: in the world.
        directions: of unit length.
        rgb: 0..1, straight.
        alpha: of the mask, 0..1.
        depth: along the viewing axis, of any scale and shift; None where none is known.
        slant: cosine between each ray and the viewing axis, where there is depth.
        normals: unit vectors in the world, zero where unknown; None where none are known.
    """

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    rgb: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    depth: Float[Tensor, " r"] | None = None
    slant: Float[Tensor, " r"] | None = None
    normals: Float[Tensor, "r 3"] | None = None


def photo_view(
    field: RealFusionField,
    rays: PhotoRays,
    march: Float[Tensor, " r"],
    draws: Float[Tensor, "2 3"],
    step: int,
    options: FitOptions,
    portions: Portions | None = None,
) -> Seen:
    """What the field shows of the photo's rays.

    Args:
        march: 0..1, of each ray.
        draws: normal, by which all rays are moved.
        portions: of rays that are drawn at once; None: all.
    """
    left = 1.0 - step / options.steps if options.photo.noise_annealed else 1.0
    origins, directions = moved(rays.origins, rays.directions, draws, options.photo.noise * left)
    background = None if options.photo.background == "learned" else 1.0
    shaped = rays.depth is not None
    look = Look("albedo", 1.0, None, march, background, options.compat.zero_depth_clock, shaped)
    return render_parts(field, origins, directions, look, portions or Portions("rays"))[0]


def add_photo_terms(terms: Terms, seen: Seen, rays: PhotoRays) -> None:
    """How far the field is from the photo, and from its depth and normals where both show something."""
    terms.add("image", losses.photo_color(seen.image, rays.rgb, rays.alpha))
    terms.add("mask", losses.photo_mask(seen.alpha, rays.alpha))
    both = rays.alpha * seen.alpha.detach()
    if rays.depth is not None and rays.slant is not None:
        depth = rays.slant * seen.distance / seen.alpha.clamp_min(THIN)
        terms.add("depth", losses.depth_correlation(depth, rays.depth, both))
    if rays.normals is not None:
        terms.add("normal", losses.normal_agreement(seen.normals, rays.normals, both))
