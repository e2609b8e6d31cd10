"""Poses of photos by a template: one field of features for all, and of each photo the view of it that is nearest.

After TeFF (Chen et al., ECCV 2024, section 3.2), whose template is the mean object of a generator that learns at the
same time. Here it is fitted to the photos before the generator is, by expectation and maximization: what a photo shows
is the template from one of a few directions, which one is told by distances of features, and the template becomes what
the photos of each direction show. A turn of the world, and of things alike from opposite sides half a turn of a photo,
cannot be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from ...metrics.features import LiteFeatures
from ...nn.field import FieldSamples
from ...progress import one_by_one
from ...render import Rays as RayBundle
from ...render import RaySampleNoise, render_passes
from .config import Pof3dConfig
from .poses import camera_poses, intrinsics_of
from .rendering import image_rays, limits, sampling_of
from .template_config import TemplateOptions

SIDE, LEVEL, BATCH = 64, 2, 50
"""Pixels of the photos as the network sees them, and the level whose features are compared, of 8 x 8 places."""
CHANNELS, CELLS, SAMPLES, DENSITY = 16, 10, 14, 40.0
"""Of the template: numbers at a place, cells along a side, samples of a ray, what its density is scaled by."""
HOT, COLD, RATE = 0.05, 0.02, 0.15
"""Distances that still count in the beginning and in the end, as shares of the variance; the template's rate."""


class Template(nn.Module):
    """A grid of densities and features in the box, seen from a grid of directions.

    Args:
        config: cameras and box.
        options: how many directions.
        places: of a feature map along its side.
        channels: features of a place.
    """

    def __init__(
        self, config: Pof3dConfig, options: TemplateOptions, *, places: int = 8, channels: int = CHANNELS
    ) -> None:
        super().__init__()
        self.config, self.options, self.places = config, options, places
        self.cells = nn.Parameter(torch.zeros(1, channels + 1, CELLS, CELLS, CELLS))
        self.poses = template_poses(config, options)
        """(yaw, elevation parameter) of the views; those of a yaw follow each other."""
        origins, directions = image_rays(
            camera_poses(self.poses, pivot=config.rig.pivot, radius=config.rig.radius),
            intrinsics_of(config.rig.focal, len(self.poses)),
            places,
        )
        self.rays = replace(config.rays, coarse=SAMPLES, fine=0, white=False)
        self.bundle = RayBundle(origins, directions, *limits(origins, directions, self.rays, config.compat))

    def begin(self, generator: torch.Generator) -> None:
        """A ball of features that differ from side to side."""
        with torch.no_grad():
            along = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
            squared = sum(each.square() for each in torch.meshgrid(along, along, along, indexing="ij"))
            self.cells[:, 0] = 1 - squared / 0.5
            coarse = torch.randn(1, self.cells.shape[1] - 1, 4, 4, 4, generator=generator)
            self.cells[:, 1:] = interpolate(coarse, (CELLS,) * 3, mode="trilinear")

    def query(self, points: Float[Tensor, "*b p 3"], directions: Float[Tensor, "*b p 3"]) -> FieldSamples:
        """Raw density and features; there is nothing outside of the box."""
        del directions
        grid = points.reshape(1, 1, 1, -1, 3) * (2 / self.config.rays.box)
        cells = (self.cells + self.cells.flip((2, 4))) / 2 if self.options.half_turn else self.cells
        found = grid_sample(cells, grid, align_corners=False).reshape(len(self.cells[0]), *points.shape[:-1])
        return FieldSamples(DENSITY * (found[0] - 0.1), found[1:].movedim(0, -1))

    def forward(self) -> Float[Tensor, "k d"]:
        """What all views show, place by place; 0 where nothing is seen."""
        sampling = sampling_of(self.rays)
        noise = RaySampleNoise.draw(tuple(self.bundle.origins.shape[:-1]), sampling, None)
        return render_passes(self.bundle, sampling, noise, self.bundle.sampler(self.query)).best.values.flatten(1)


def template_poses(config: Pof3dConfig, options: TemplateOptions) -> Float[Tensor, "k 2"]:
    """(yaw, elevation parameter) of the views, evenly around the circle and over the elevations that are known of."""
    yaws = torch.arange(options.views) * (2 * math.pi / options.yaws)
    share = (torch.arange(options.elevations) + 0.5) * (2 / options.elevations) - 1
    heights = config.pose.elevation_mean + config.pose.reach * share
    return torch.stack(torch.meshgrid(yaws, heights, indexing="ij"), dim=-1).reshape(-1, 2)


class FeatureMaps:
    """What photos are compared by: principal parts of a network's features, less those of an empty place.

    Args:
        net: features of images.
        photos: by which the parts are chosen.
    """

    def __init__(self, net: Callable[[Tensor], Tensor], photos: UInt8[Tensor, "n 3 h w"]) -> None:
        self.net = net
        found = torch.cat([net(part) for part in photos.split(BATCH)])
        self.empty = found[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(dim=(0, 2))
        flat = (found - self.empty[:, None, None]).movedim(1, -1).flatten(0, 2).double()
        count = min(CHANNELS, flat.shape[1])
        values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
        scale = (values[-count:].sum() / count).clamp_min(1e-12).sqrt()
        self.parts = (vectors[:, -count:] / scale).float()

    def __call__(self, photos: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Place by place; of variance 1 on average over the photos that the parts were chosen by."""
        return ((self.net(photos) - self.empty[:, None, None]).movedim(1, -1) @ self.parts).flatten(1)


def lite_maps(net: LiteFeatures) -> Callable[[UInt8[Tensor, "n 3 h w"]], Float[Tensor, "n c p p"]]:
    """Feature maps of 8 x 8 places by the backbone of the mask network."""

    def maps(photos: Tensor) -> Tensor:
        rgb = interpolate(photos.float() / 255, (SIDE, SIDE), mode="bilinear", antialias=photos.shape[-1] > SIDE)
        with torch.no_grad():
            return net.net(rgb)[LEVEL]

    return maps


class Fit:
    """A template that is being fitted to features of photos.

    Args:
        template: to fit.
        features: of the photos.
        generator: of where it begins.
    """

    def __init__(self, template: Template, features: Float[Tensor, "n d"], generator: torch.Generator) -> None:
        self.template, self.features = template, features
        self.bias = torch.zeros(len(template.poses))
        template.begin(generator)
        self.optimizer = torch.optim.Adam(template.parameters(), RATE, betas=(0.8, 0.95))

    def step(self, share: float) -> float:
        """One round after `share` of all; what distance is left between the photos and their views."""
        heat = HOT * (COLD / HOT) ** share
        views = self.template()
        distances = apart(self.features, views.detach())
        told = torch.softmax(-distances / heat + self.bias, dim=1)
        mass = told.sum(dim=0)
        if self.template.options.prior == "uniform":
            of_yaws = mass.reshape(self.template.options.views, -1).sum(dim=1) / len(self.features)
            even = (of_yaws * len(of_yaws)).clamp_min(1e-3).log()
            self.bias = self.bias - even.repeat_interleave(self.template.options.elevations)
        shown = (told.T @ self.features) / (mass[:, None] + 1e-6)
        loss = ((views - shown).square().mean(dim=1) * mass / mass.sum()).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float((told * distances).sum(dim=1).mean())

    def tell(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n 2"]:
        """The poses of the nearest views."""
        with torch.no_grad():
            distances = apart(features, self.template())
        return self.template.poses[(-distances / COLD + self.bias).argmax(dim=1)]


def apart(features: Float[Tensor, "n d"], views: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
    """Mean squares of the differences."""
    squares = features.square().sum(dim=1)[:, None] + views.square().sum(dim=1)
    return (squares - 2 * features @ views.T) / features.shape[1]


def fitted(
    config: Pof3dConfig, options: TemplateOptions, features: Float[Tensor, "n d"], *, places: int, seed: int
) -> Fit:
    """The best of several fits, by what distance is left."""
    generator = torch.Generator().manual_seed(seed)
    best: tuple[float, Fit] | None = None
    channels = features.shape[1] // places**2
    with torch.enable_grad():
        for _ in one_by_one(range(options.starts), "fitting the template of poses", unit="start"):
            fit, left = Fit(Template(config, options, places=places, channels=channels), features, generator), math.inf
            for step in range(options.steps):
                left = fit.step(step / max(options.steps - 1, 1))
            if best is None or left < best[0]:
                best = left, fit
    assert best is not None
    return best[1]


def poses_by_template(
    config: Pof3dConfig,
    options: TemplateOptions,
    photos: Callable[[list[int]], UInt8[Tensor, "n 3 h w"]],
    count: int,
    *,
    seed: int = 0,
    net: Callable[[UInt8[Tensor, "n 3 h w"]], Float[Tensor, "n c p p"]] | None = None,
) -> Float[Tensor, "n 2"]:
    """(yaw, elevation parameter) of all photos of a set, radians, in a world of its own.

    Args:
        config: cameras, and the range of elevations.
        options: of the template.
        photos: those of some numbers.
        count: of the set.
        seed: of where the fits begin.
        net: feature maps of photos; none: of the backbone of the mask network that ships.
    """
    some = sorted({number * count // min(count, options.photos) for number in range(min(count, options.photos))})
    chosen = photos(some)
    maps = FeatureMaps(net or lite_maps(LiteFeatures.load()), chosen)
    features = torch.cat([maps(part) for part in chosen.split(BATCH)])
    places = maps.net(chosen[:1]).shape[-1]
    fit = fitted(config, options, features, places=places, seed=seed)
    return torch.cat([fit.tell(maps(photos(numbers))) for numbers in _parts(count)])


def _parts(count: int) -> Iterator[list[int]]:
    for first in range(0, count, BATCH):
        yield list(range(first, min(first + BATCH, count)))
