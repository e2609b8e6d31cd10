"""PoF3D's generator: a latent to a radiance field and the pose it is seen from, and these to an image (section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...nn.stylegan2 import Noise, SynthesisNetwork
from ...render import RaySampleNoise
from .background import BackgroundField, see_background
from .config import Pof3dConfig, fov_of
from .decoder import Decoder, PlanesField, PlanesQuery, axes_of
from .fast import OccupiedSpace
from .mapping import Mapped, PoseMapping
from .poses import camera_poses, intrinsics_of
from .rendering import image_rays, sampling_of, see
from .superresolution import Superresolution

Draws = RaySampleNoise | torch.Generator | None
"""Places of the samples along rays: given, drawn by a generator, or the same for all rays."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Images of objects.

    Attributes:
        image: -1..1.
        image_raw: what was rendered, -1..1.
        features: that the image was made of, -1..1; the first three are the raw image.
        depth: mean distance from the camera along the rays, world units.
        alpha: coverage 0..1.
    """

    image: Float[Tensor, "n 3 s s"]
    image_raw: Float[Tensor, "n 3 t t"]
    features: Float[Tensor, "n c r r"]
    depth: Float[Tensor, "n 1 r r"]
    alpha: Float[Tensor, "n 1 r r"]


class Backbone(nn.Module):
    """From a latent to styles, and from these to planes."""

    def __init__(self, config: Pof3dConfig) -> None:
        super().__init__()
        net, learned = config.network, config.pose.learned
        means = {"nothing": 0.0, "radius": config.rig.radius, "fov": fov_of(config.rig.focal)}
        self.synthesis = SynthesisNetwork(
            net.w_dim,
            net.plane_resolution,
            3 * net.plane_features,
            channel_base=net.channel_base,
            channel_max=net.channel_max,
            half_resolutions=net.half_resolutions,
            use_noise=net.noise,
            clamp=net.clamp,
        )
        third = means[learned] if config.pose.third_mean is None else config.pose.third_mean
        self.mapping = PoseMapping(net, config.pose, third_mean=third, linear_means=config.compat.linear_means)


class Pof3dGenerator(nn.Module):
    """The generator; tensors are named as in the published state dicts.

    Args:
        config: sizes, cameras and behaviours.
    """

    def __init__(self, config: Pof3dConfig) -> None:
        super().__init__()
        self.config, net = config, config.network
        self.backbone = Backbone(config)
        self.decoder = Decoder(net.plane_features, net.decoder_width, net.decoder_rate)
        self.superresolution = None
        if net.superresolution != "none":
            self.superresolution = Superresolution(
                net.superresolution,
                net.plane_features,
                net.w_dim,
                config.resolution,
                half_precision=net.superresolution_half,
                share=net.superresolution_share,
            )
        self.background = None
        if net.background is not None:
            self.background = BackgroundField(net.background, net.w_dim, net.plane_features - 3)

    @property
    def slots(self) -> int:
        """How many styles the networks take."""
        return self.backbone.synthesis.slots + (0 if self.background is None else self.background.slots)

    def map(
        self,
        z: Float[Tensor, "n z"],
        truncation: float = 1.0,
        cutoff: int | None = None,
        *,
        update_average: bool = False,
        generator: torch.Generator | None = None,
    ) -> Mapped:
        """Styles and poses of latents.

        Args:
            z: standard normal.
            truncation: share of the way from the mean style that is left; the pose is that of the whole way.
            cutoff: of how many slots; None for all.
            update_average: whether the mean style moves towards that of these latents.
            generator: of poses that are drawn instead of learned.
        """
        mapping = self.backbone.mapping
        w = mapping(z)
        if update_average:
            mapping.update_average(w)
        ws = w[:, None].expand(-1, self.slots, -1)
        return Mapped(mapping.truncate(ws, truncation, cutoff), mapping.pose(w, generator), w)

    def cameras(self, pose: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, "n 3 3"]]:
        """world_from_camera, and intrinsics of images whose side is 1; NaN where an elevation lies beyond a pole."""
        rig, learned = self.config.rig, self.config.pose.learned
        third = pose[:, -1]
        focal: float | Tensor = rig.focal
        if learned == "fov" and not self.config.compat.unused_fov:
            focal = 1 / ((third.deg2rad() / 2).tan() * math.sqrt(2))
        world = camera_poses(pose, pivot=rig.pivot, radius=third if learned == "radius" else rig.radius)
        return world, intrinsics_of(focal, len(pose)).to(pose)

    def planes(
        self, ws: Float[Tensor, "n slots w"], *, noise: Noise = "const", fused: bool | None = None
    ) -> Float[Tensor, "n 3 c p p"]:
        """The three planes of styles.

        Args:
            noise: what the layers add.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        found = self.backbone.synthesis(ws[:, : self.backbone.synthesis.slots], noise=noise, fused=fused)
        return found.unflatten(1, (3, -1))

    def query(self, planes: Float[Tensor, "n 3 c p p"]) -> PlanesQuery:
        """Raw density and colors at points of these objects, which `planes` made."""
        return PlanesQuery(planes, self.decoder, self.config.rays.box, axes_of(self.config.compat.repeated_axes))

    def space(self, planes: Float[Tensor, "1 3 c p p"]) -> OccupiedSpace:
        """Where one object holds something: what makes many views of it quick."""
        return OccupiedSpace(self.query(planes), self.config.rays)

    def density(self, points: Float[Tensor, "n p 3"], planes: Float[Tensor, "n 3 c h w"]) -> Float[Tensor, "n p"]:
        """Raw density at points in the world."""
        return self.query(planes)(points).geometry

    def field(self, planes: Float[Tensor, "3 c p p"]) -> PlanesField:
        """The object of one latent, to be meshed and looked at."""
        return PlanesField(planes, self.decoder, self.config.rays.box, axes_of(self.config.compat.repeated_axes))

    def synthesize(
        self,
        ws: Float[Tensor, "n slots w"],
        world_from_camera: Float[Tensor, "n 4 4"],
        intrinsics: Float[Tensor, "n 3 3"],
        *,
        resolution: int | None = None,
        noise: Noise = "const",
        draws: Draws = None,
        planes: Float[Tensor, "n 3 c p p"] | None = None,
        space: OccupiedSpace | None = None,
        fused: bool | None = None,
    ) -> Synthesis:
        """Images of styles, each from its camera.

        Random numbers are drawn in the order layer noise, jitter, importance, background.

        Args:
            world_from_camera: of the cameras.
            intrinsics: of images whose side is 1.
            resolution: of the raw image in pixels; None: that of the configuration.
            noise: what the planes' layers add.
            draws: where rays are sampled.
            planes: of these styles, where they are known.
            space: where these planes, of one object, hold something: nothing else is rendered, without gradients.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        rays, side = self.config.rays, resolution or self.config.rays.raw_resolution
        if planes is None and space is None:
            planes = self.planes(ws, noise=noise, fused=fused)
        origins, directions = image_rays(world_from_camera, intrinsics, side)
        places = draws
        if not isinstance(places, RaySampleNoise):
            places = RaySampleNoise.draw(tuple(origins.shape[:2]), sampling_of(rays), places)
        if space is None:
            assert planes is not None
            seen = see(self.query(planes), origins, directions, places, rays, self.config.compat)
        else:
            seen = space.see(origins, directions, places, self.config.compat)
        colors = seen.colors
        if self.background is not None:
            colors = self._before_background(colors, seen.passed, ws, origins, directions, draws)
        features, depth, alpha = (
            part.mT.unflatten(2, (side, side)) for part in (colors, seen.depth[..., None], seen.alpha[..., None])
        )
        image, raw = self._finished(features, ws, noise, fused)
        return Synthesis(image, raw, features, depth, alpha)

    @torch.no_grad()
    def film(
        self,
        ws: Float[Tensor, "1 slots w"],
        world_from_camera: Float[Tensor, "f 4 4"],
        intrinsics: Float[Tensor, "f 3 3"],
        *,
        resolution: int | None = None,
        noise: Noise = "const",
        planes: Float[Tensor, "1 3 c p p"] | None = None,
    ) -> Iterator[Synthesis]:
        """Images of one object, one for each camera: its planes are made once, and empty space is not looked at.

        Args:
            world_from_camera: of the cameras.
            intrinsics: of images whose side is 1.
            resolution: of the raw image in pixels; None: that of the configuration.
            noise: what the planes' layers add.
            planes: of the object, where they are known.
        """
        planes = self.planes(ws, noise=noise) if planes is None else planes
        space = self.space(planes)
        for world, matrix in zip(world_from_camera, intrinsics, strict=True):
            yield self.synthesize(ws, world[None], matrix[None], resolution=resolution, noise=noise, space=space)

    def _finished(self, features: Tensor, ws: Tensor, noise: Noise, fused: bool | None) -> tuple[Tensor, Tensor]:
        raw = features[:, :3]
        if self.superresolution is None:
            return raw, raw
        w = ws[:, self.backbone.synthesis.slots - 1]
        if self.config.network.superresolution_stop:
            w = w.detach()
        mode = self.config.network.superresolution_noise
        added: Noise = "none" if mode == "none" else "const"
        if mode == "random" and isinstance(noise, torch.Generator):
            added = noise
        image, first = self.superresolution(raw, features, w, noise=added, fused=fused)
        overwritten = self.config.compat.overwritten_raw and self.superresolution.kind.up == 1
        if overwritten and not self.superresolution.resizes(features.shape[-1]):
            raw = first
        return image, raw

    def _before_background(
        self, colors: Tensor, passed: Tensor, ws: Tensor, origins: Tensor, directions: Tensor, draws: Draws
    ) -> Tensor:
        assert self.background is not None
        jitter = None
        if isinstance(draws, torch.Generator):
            shape = (*origins.shape[:2], self.background.options.samples)
            jitter = torch.rand(shape, generator=draws, device=draws.device).to(origins)
        behind = see_background(
            self.background,
            ws[:, self.backbone.synthesis.slots :],
            origins,
            directions,
            self.config.rig.radius,
            jitter,
        )
        return colors + passed[..., None] * (behind + 1)
