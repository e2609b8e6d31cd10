"""The published rendering of an encoded object, for rays and whole pictures in our world."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...nn.field import FieldSamples
from ...render import RaySampleNoise
from ...render.ray_renderer import RayColors
from .config import PixelNerfConfig
from .fast import render_image
from .field import PixelNerfField
from .render import render_query

POINTS = 1 << 15  # that the networks see at once
NEAREST = 1e-2  # in the network's world


@dataclass(frozen=True, eq=False)
class PixelNerfRenderer:
    """A `RayRenderer` of a reconstruction's field, carved as that is; `image` gives whole pictures quicker.

    Attributes:
        field: in the world; its `field` holds the networks and the object.
    """

    field: PixelNerfField

    @property
    def background(self) -> tuple[float, float, float]:
        """sRGB 0..1: that of the network's training."""
        return (1.0, 1.0, 1.0) if self._config.sampling.white else (0.0, 0.0, 0.0)

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        """Differentiable in the rays; the same at every call without a generator."""
        net, encoded = self.field.field.net, self.field.field.encoded
        sampling = self._config.sampling

        def query(points: Tensor, directions: Tensor, *, fine: bool) -> FieldSamples:
            return self._carved(points, net.query(encoded, points, directions, fine=fine))

        noise = RaySampleNoise.draw(len(origins), sampling.rays, generator)
        rays = self._rays(origins, directions)[None]
        seen = render_query(query, rays, sampling, noise, points_per_call=POINTS).best
        return self._in_world(seen.rgb[0], seen.alpha[0], seen.depth[0])

    def image(self, camera: Camera) -> RayColors:
        """One camera's picture, row by row, without what cannot be seen."""
        origins, directions = (rays[0].float() for rays in camera.rays())
        rays = self._rays(origins, directions).reshape(camera.height, camera.width, 8)
        seen = render_image(
            self.field.field.net,
            self.field.field,
            rays,
            change=self._carved if self.field.outlines else None,
        )
        return self._in_world(seen.rgb.reshape(-1, 3), seen.alpha.reshape(-1), seen.depth.reshape(-1))

    @property
    def _config(self) -> PixelNerfConfig:
        return self.field.field.net.config

    def _rays(self, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]) -> Float[Tensor, "r 8"]:
        """Rays in the network's world, with the near and far of its training moved to the object."""
        domain, begin = self._config.domain, origins / self.field.scale
        moved = begin.detach().norm(dim=-1, keepdim=True) - domain.distance
        near = (domain.near + moved).clamp_min(NEAREST)
        far = torch.maximum(domain.far + moved, near + NEAREST)
        return torch.cat((begin, directions, near, far), dim=-1)

    def _carved(self, points: Float[Tensor, "*p 3"], found: FieldSamples) -> FieldSamples:
        """Nothing beyond the outlines of the photos' masks."""
        flat = points.reshape(-1, 3) * self.field.scale
        density = self.field.carved(flat, found.geometry.reshape(-1) / self.field.scale) * self.field.scale
        return FieldSamples(density.reshape(found.geometry.shape), found.values)

    def _in_world(self, rgb: Tensor, alpha: Tensor, depth: Tensor) -> RayColors:
        distance = depth / alpha.clamp_min(1e-6) * (alpha > 0)
        return RayColors(rgb, alpha, distance.detach() * self.field.scale)
