"""The fit as a task of the training loop: the prior's views and the photo's rays in turn, empty space, averages."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...memory import Portions
from ...training import Ema, Phase
from ...training.identity import Value, gist
from ...training.phase import Term
from .cameras import Jitter, angles_of, look_at, on_sphere, rays, upper_box, view_labels
from .films import channels, orbit_poses
from .fit_options import FitOptions, Views
from .guide import Judge
from .model import RealFusionField
from .optimizing import averages_of, groups_of, optimizer_of
from .photo_square import PhotoSquare
from .sides import Sides
from .steps import (
    PhotoRays,
    PriorDraws,
    Terms,
    add_photo_terms,
    add_view_terms,
    choose,
    orientation_of,
    padded_rows,
    photo_view,
    prior_view,
    prompt_of,
    smoothness_of,
)

OF_VIEWS = ("entropy", "opacity", "orient", "smooth", "smooth_2d")
"""Losses of any view, whoever judges it."""
FILES = ("prior", "view_prior", "embedding", "depth", "normals")
"""Options that are known again by the last part of their paths."""
FREE = {"steps", "start", "run", "weights", "checkpoint_every", "preview_every", "pretrain_check", "offload"}
FREE |= {"level", "films", "film_size"}
"""Options that may change when a fit goes on."""
SHOWN = 64  # pixels of the pictures of a fit's progress
FEWEST = 16  # rays or points at once
SMALLER = "lower views.size, network.steps or photo.rays"


def draw_views(
    views: Views, generator: torch.Generator, *, mirrored: bool = False, centered: bool = True
) -> tuple[Float[Tensor, "b 4 4"], Float[Tensor, " b"], Int[Tensor, " b"]]:
    """Poses, vertical fields of view in degrees, and labels of random views around the object."""
    count = views.count

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=generator.device)

    def between(limits: tuple[float, float]) -> Tensor:
        return limits[0] + (limits[1] - limits[0]) * draw(count)

    radius, fov = between(views.radius_range), between(views.fov_range)
    even = upper_box(draw(count, 3))
    polar, azimuth = torch.deg2rad(between(views.polar_range)), torch.deg2rad(between(views.azimuth_range))
    chosen = (draw(count) < views.sphere_share)[:, None]
    centers = torch.where(chosen, even, on_sphere(polar, azimuth, 1.0))
    jitter = None
    if views.jitter:
        moves = [torch.randn(count, 3, generator=generator, device=generator.device) for _ in range(2)]
        jitter = Jitter(draw(count, 3), *moves)
    labels = view_labels(*angles_of(centers), front=views.front, overhead=views.overhead, centered=centered)
    return look_at(centers * radius[:, None], mirrored=mirrored, jitter=jitter), fov, labels


def _flat(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Value]]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


class FitTask:
    """A field, the photo that it is to show, and who judges it from other sides.

    Args:
        field: that is fitted.
        square: the photo.
        options: of the fit.
        judges: the priors, by the names of the losses' weights; none: the photo alone counts.
    """

    def __init__(
        self,
        field: RealFusionField,
        square: PhotoSquare,
        options: FitOptions,
        judges: Mapping[str, Judge] = MappingProxyType({}),
    ) -> None:
        self.module: nn.Module = field
        self.field, self.square, self.options, self.judges = field, square, options, judges
        self.origins, self.directions = square.rays()
        self.rays = Portions("rays", smallest=FEWEST, advice=SMALLER)
        self.points = Portions("points", smallest=FEWEST, advice=SMALLER)

    def phases(self) -> list[Phase]:
        """One, whose terms are the prior's view and the photo's rays."""
        options = self.options
        optimizer = optimizer_of(options.optimizer, options.rate, options.weight_decay)
        return [Phase("fit", groups_of(self.field, options), self._loss, optimizer=optimizer)]

    def identity(self) -> dict[str, Value]:
        """The photo's square, and all options that decide the numbers but the count of steps."""
        square = torch.cat((self.square.rgb, self.square.alpha[..., None]), dim=-1).cpu().numpy()
        told = dict(_flat(dataclasses.asdict(self.options)))
        files = {name: Path(str(told[name])).name for name in FILES if told.get(name)}
        return {name: value for name, value in (told | files).items() if name not in FREE} | {"photo": gist(square)}

    def ema(self) -> Ema | None:
        """Averaged weights, which are what is shown in the end."""
        return averages_of(self.field, self.options)

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Rays of the photo and cameras of the prior's views."""
        options, network = self.options, self.options.network
        pick = torch.randint(len(self.origins), (options.photo.rays,), generator=generator, device=generator.device)
        centered = not options.compat.off_center
        poses, fov, labels = draw_views(options.views, generator, mirrored=network.mirrored, centered=centered)
        pick, square = pick.cpu(), self.square
        shape: dict[str, Tensor] = {}
        if square.depth is not None:
            shape |= {"depth": square.depth.flatten()[pick], "slant": self.directions[pick] @ square.pose[:3, 2]}
        if square.normals is not None:
            shape["normals"] = square.normals.reshape(-1, 3)[pick]
        return {
            **shape,
            "origins": self.origins[pick],
            "directions": self.directions[pick],
            "rgb": square.rgb.reshape(-1, 3)[pick],
            "alpha": square.alpha.flatten()[pick],
            "poses": poses,
            "fov": fov,
            "labels": labels,
        }

    def before_step(self, step: int, generator: torch.Generator) -> None:
        """Show the fine levels when it is time, and look for empty space now and then."""
        options = self.options
        self.field.hide_levels(options.hidden_levels if step <= options.hidden_steps else 0)
        if step % options.occupancy_every == 0 and (step > 0 or not options.compat.late_occupancy):
            self.field.occupancy.update(self._density, generator=generator)

    def less_memory(self) -> bool:
        """Draw fewer rays, look at fewer points, and ask the priors of fewer pictures at once."""
        portions = [self.rays, self.points, *(judge.portions for judge in self.judges.values())]
        return sum(each.halve() for each in portions) > 0

    def _density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return torch.cat(self.points.map(lambda part: self.field.density(points[part]), len(points)))

    def pictures(self, module: nn.Module) -> Mapping[str, Float[Tensor, "h w 3"]]:
        """Colors and shape from four sides."""
        assert isinstance(module, RealFusionField)
        views, fov = self.options.views, 0.5 * sum(self.options.views.fov_range)
        poses = orbit_poses(4, views.elevation, views.radius, mirrored=self.options.network.mirrored)
        seen = [channels(module, pose.to(module.encoder.embeddings), fov, SHOWN) for pose in poses]
        return {name: torch.cat([found[name] for found in seen], dim=1).cpu() for name in ("rgb", "textureless")}

    def _loss(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Iterator[Term]:
        photo = self.options.photo
        due = step >= photo.start and (step - photo.start) % photo.every == 0
        if due:
            yield self._photo(batch, step, generator)
        terms = Terms(self.options, step)
        judged = any(terms.weight(name) for name in self.judges)
        if judged or not due or any(terms.weight(name) for name in OF_VIEWS):
            yield self._view(batch, step, generator)

    def _photo(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Term:
        shape = {name: batch.get(name) for name in ("depth", "slant", "normals")}
        seen_rays = PhotoRays(batch["origins"], batch["directions"], batch["rgb"], batch["alpha"], **shape)
        place = generator.device
        march = torch.rand(len(seen_rays.origins), generator=generator, device=place)
        draws = torch.randn(2, 3, generator=generator, device=place)
        seen = photo_view(self.field, seen_rays, march, draws, step, self.options, self.rays)
        terms = Terms(self.options, step)
        add_photo_terms(terms, seen, seen_rays)
        return _term(terms)

    def _view(self, batch: dict[str, Tensor], step: int, generator: torch.Generator) -> Term:
        options, size = self.options, self.options.views.size
        count = len(batch["poses"])
        draws = PriorDraws.draw(count * size * size, generator)
        choice = choose(step, draws.shading, options)
        origins, directions = (each.flatten(0, 1) for each in rays(batch["poses"], batch["fov"], size, size))
        sides = Sides.of(batch["poses"], batch["fov"], prompt_of(batch["labels"], choice), self.square, options)
        if choice.own:
            origins, directions = (each.to(origins).repeat(count, 1) for each in self.square.rays(size))
            sides = Sides.front(batch["labels"])
        seen, sampled = prior_view(self.field, origins, directions, choice, draws, options, self.rays)
        terms = Terms(options, step)
        smooth = None
        if terms.weight("smooth"):
            points = len(sampled.points)
            rows = padded_rows(points) if options.compat.padded_means else points
            perturb = torch.randn(rows, 3, generator=generator, device=generator.device)
            smooth = smoothness_of(self.field, sampled, perturb, options, self.points)
        maps = seen.normals.reshape(count, size, size, 3).permute(0, 3, 1, 2)
        add_view_terms(terms, seen.alpha.reshape(count, -1), maps, orientation_of(sampled, options), smooth)
        image = seen.image.reshape(count, size, size, 3)
        for name, judge in self.judges.items():
            if weight := terms.weight(name) * options.prior_scale:
                judged = judge(image, sides, step, generator)
                terms.values[name] = judged.detach()
                terms.total = terms.total + weight * judged
        return _term(terms)


def _term(terms: Terms) -> Term:
    total: Any = terms.total
    if not isinstance(total, Tensor) or not total.requires_grad:
        total = sum(value * 0.0 for value in terms.live.values())  # nothing has a weight
    return total, {name: value for name, value in terms.values.items() if math.isfinite(float(value))}
