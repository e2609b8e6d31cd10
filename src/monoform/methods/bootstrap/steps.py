"""The losses of one step of a generator and of a discriminator, from latents, cameras and real images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...camera import Camera
from ...render import RaySampleNoise
from ...training.chance import Chance as Chance
from .cameras import camera_of, pixels_of
from .discriminator import BootstrapDiscriminator
from .followed_rays import Followed, follow
from .losses import Terms, discriminator_terms, generator_terms, moved_mean, pretraining_terms, real_images
from .model import BootstrapGenerator, Draws
from .pose_parameters import Focals, condition_vectors
from .regularizers import path_lengths, shape_terms, stratified_points
from .rendering import Seen, places_of

SPHERE = 0.7
"""Largest radius of the first shapes, in half sides of the cube."""


@dataclass(frozen=True, eq=False)
class Views:
    """Cameras, and the classes of what they see.

    Attributes:
        world_from_camera: in the published conventions, see `pose_parameters`.
        focal: in image widths; None for orthographic cameras.
        classes: where there are some.
    """

    world_from_camera: Float[Tensor, "n 4 4"]
    focal: Focals
    classes: Int[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.world_from_camera)

    def chosen(self, numbers: Int[Tensor, " m"]) -> Views:
        """Some of them."""
        parts = (None if part is None else part[numbers] for part in (self.focal, self.classes))
        return Views(self.world_from_camera[numbers], *parts)


class GanSteps:
    """The losses of a generator and its discriminator.

    Args:
        net: the generator; its configuration says how it is trained.
        judge: the discriminator.
    """

    def __init__(self, net: BootstrapGenerator, judge: BootstrapDiscriminator) -> None:
        self.net, self.judge = net, judge
        self.training = net.config.training

    def pretraining_terms(
        self,
        z: Float[Tensor, "n z"],
        chance: Chance,
        classes: Int[Tensor, " n"] | None = None,
        radius: float | None = None,
    ) -> Terms:
        """The shapes of latents should be spheres.

        Args:
            classes: of the objects, where there are some.
            radius: world units, 1 as published; None: 1 too, but less in a cube that is hardly larger, or smaller.
        """
        if radius is None:
            radius = min(1.0, SPHERE * self.net.config.scene.half_side)
        net = self.net
        planes = net.planes(net.styles(net.map(z, classes)), noise=chance.noise())
        points = self.points(len(z), chance)
        return pretraining_terms(
            shape_terms(net, planes, points, torch.zeros_like(points), radius=radius), self.training
        )

    def generator_terms(
        self, z: Float[Tensor, "n z"], views: Views, iteration: int, path_mean: float | None, chance: Chance
    ) -> tuple[Terms, float | None]:
        """What is made of latents should look real.

        Args:
            views: from which it is seen.
            path_mean: mean path length so far; None before the first step.

        Returns:
            The terms, and the mean path length with this step's in it.
        """
        net = self.net
        ws = net.styles(net.map(z, views.classes)).contiguous()
        planes, palette = net.planes(ws, noise=chance.noise()), net.palette(ws)
        score = self.score(self.seen(ws, views, chance, planes, palette), views)
        lengths = None
        if self.training.path_length > 0 and self._full(iteration):
            along = chance.normal(*planes.shape)
            lengths = path_lengths(
                ws, planes, palette, along, None if palette is None else chance.normal(*palette.shape)
            )
            path_mean = moved_mean(path_mean, lengths)
        points = self.points(len(z), chance)
        shape = shape_terms(net, planes, points, chance.normal(*points.shape))
        return generator_terms(score, shape, lengths, path_mean or 0.0, iteration, self.training), path_mean

    def discriminator_terms(
        self,
        z: Float[Tensor, "n z"],
        views: Views,
        real: Float[Tensor, "n c h w"],
        real_views: Views,
        iteration: int,
        chance: Chance,
    ) -> tuple[Terms, Float[Tensor, "n 1"]]:
        """Fakes should be told from real images.

        Args:
            z: latents of the fakes.
            views: from which they are seen.
            real: images -1..1, with the opacity where the discriminator sees it.
            real_views: from which they were.

        Returns:
            The terms, and the scores of the real images.
        """
        net = self.net
        with torch.no_grad():
            ws = net.styles(net.map(z, views.classes))
            fake = self.seen(ws, views, chance, net.planes(ws, noise=chance.noise()), net.palette(ws))
        images = real_images(real, iteration, self.training, white=net.config.scene.white).detach()
        judged = images.requires_grad_() if self._full(iteration) else None
        score = self.score(images, real_views)
        return discriminator_terms(score, self.score(fake, views), judged, self.training), score

    def _full(self, iteration: int) -> bool:
        """Whether second derivatives are asked for in this step."""
        return iteration // 2 % self.training.lazy == 0

    def points(self, count: int, chance: Chance) -> Float[Tensor, "n p 3"]:
        """Where shapes are looked at."""
        cells = (self.training.cells,) * 3
        return stratified_points(chance.uniform(count, *cells, 3), self.net.config.scene.half_side)

    def seen(
        self, ws: Tensor, views: Views, chance: Chance, planes: Tensor, palette: Tensor | None
    ) -> Float[Tensor, "n c h w"]:
        """Renders as the discriminator takes them."""
        size = self.net.config.resolution
        cameras = camera_of(views.world_from_camera, views.focal, (size, size))
        draws, least = chance.places(), self.training.least
        found: Seen | Followed
        if least:
            found = self._followed(cameras, draws, planes, palette, least)
        else:
            found = self.net.render(ws, cameras, draws=draws, planes=planes, palette=palette)
        image = found.rgb
        if self.judge.config.alpha:
            image = torch.cat([image, found.alpha[..., None]], dim=-1)
        return image.permute(0, 3, 1, 2)

    def _followed(
        self, cameras: Camera, draws: Draws, planes: Tensor, palette: Tensor | None, least: float
    ) -> Followed:
        """Renders with a graph of those samples alone that have a share of their pixel."""
        config = self.net.config
        rays = cameras.rays(pixels_of(cameras, config.compat.corner_pixels))
        if not isinstance(draws, RaySampleNoise):
            draws = places_of((len(planes), rays[0].shape[1]), config, draws)
        seen = follow(self.net.objects(planes, palette), *rays, draws, config, least)
        size = (config.resolution, config.resolution)
        return Followed(seen.rgb.unflatten(1, size), seen.alpha.unflatten(1, size))

    def score(self, images: Float[Tensor, "n c h w"], views: Views) -> Float[Tensor, "n 1"]:
        """Of images under their cameras."""
        flipped = self.net.config.scene.flipped
        condition = condition_vectors(views.world_from_camera, views.focal, flipped=flipped)
        found: Tensor = self.judge(images, condition, views.classes)
        return found
