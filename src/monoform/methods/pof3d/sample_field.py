"""One sample as the house's field, rays and pictures; its planes are made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, softplus

from ...camera import Camera
from ...nn.field import Field, FieldSamples
from ...render import RaySampleNoise
from ...render.ray_renderer import RayColors
from .decoder import PlanesField
from .fast import OccupiedSpace
from .model import Pof3dGenerator
from .rendering import sampling_of, see

LOOK = 48  # points along a side at which the largest density is looked for


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample in the house's units.

    Attributes:
        net: the generator.
        styles: of the sample.
        planes: of these styles.
        scale: world units of the house in one of the network's.
    """

    net: Pof3dGenerator
    styles: Float[Tensor, "1 l w"]
    planes: Float[Tensor, "1 3 c p q"]
    scale: float = 1.0

    @cached_property
    def space(self) -> OccupiedSpace:
        """Where there is something to see, for pictures from many sides."""
        return self.net.space(self.planes)

    @property
    def background(self) -> tuple[float, float, float] | None:
        """sRGB 0..1; None where it is not plain."""
        plain = self.net.config.network.background is None
        return (float(self.net.config.rays.white),) * 3 if plain else None


class SampleField(Field):
    """Density and the colors of the raw picture."""

    kind: ClassVar[Literal["density"]] = "density"
    representative_direction: ClassVar[None] = None

    def __init__(self, sample: Sample) -> None:
        self.scale = sample.scale
        self.inner: PlanesField = sample.net.field(sample.planes[0])

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box of the planes."""
        return self.inner.bounds * self.scale

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Density per world unit, and sRGB."""
        found = self.inner.query(points / self.scale, directions)
        return FieldSamples(found.geometry / self.scale, found.values[..., :3])

    def density_of(self, raw: float) -> float:
        """Density per world unit of a raw one."""
        return float(softplus(torch.tensor(raw - 1.0))) / self.scale


@torch.no_grad()
def surface_level(field: SampleField, raw: float) -> float:
    """Density at which the surface is taken: that of a raw density, or half the largest where there is less."""
    half = float(field.bounds[1, 0])
    line = torch.linspace(-half, half, LOOK, device=field.bounds.device)
    slabs = (field.geometry(torch.cartesian_prod(x[None], line, line)) for x in line)
    largest, wanted = max(float(slab.max()) for slab in slabs), field.density_of(raw)
    return wanted if largest > wanted else 0.5 * largest


@dataclass(frozen=True, eq=False)
class SampleRays:
    """The sample as any rays see it; differentiable in them."""

    sample: Sample

    @property
    def background(self) -> tuple[float, float, float] | None:
        """Of the sample."""
        return self.sample.background

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        net, scale = self.sample.net, self.sample.scale
        rays = net.config.rays
        noise = RaySampleNoise.draw((1, len(origins)), sampling_of(rays), generator)
        query = net.query(self.sample.planes)
        seen = see(query, origins[None] / scale, directions[None], noise, rays, net.config.compat)
        rgb = ((seen.colors[0, :, :3] + 1) / 2).clamp(0.0, 1.0)
        return RayColors(rgb, seen.alpha[0], (seen.depth[0] * scale).detach())


@dataclass(frozen=True, eq=False)
class SampleImage:
    """The sample as a whole camera sees it, super-resolved."""

    sample: Sample

    @property
    def background(self) -> tuple[float, float, float] | None:
        """Of the sample."""
        return self.sample.background

    @torch.no_grad()
    def __call__(self, camera: Camera) -> RayColors:
        one = self.sample
        pose = camera.world_from_camera.to(one.planes).clone()
        pose[:, :3, 3] /= one.scale
        size = pose.new_tensor([camera.width, camera.height, 1.0])
        intrinsics = camera.intrinsics.to(one.planes) / size[:, None]
        seen = one.net.synthesize(one.styles, pose, intrinsics, space=one.space)
        shape = (camera.height, camera.width)
        rgb = _resized(((seen.image + 1) / 2).clamp(0, 1), shape)
        return RayColors(
            rgb[0].flatten(1).T,
            _resized(seen.alpha, shape).flatten(),
            _resized(seen.depth, shape).flatten() * one.scale,
        )


def _resized(values: Float[Tensor, "1 c h w"], shape: tuple[int, int]) -> Float[Tensor, "1 c p q"]:
    if values.shape[2:] == shape:
        return values
    return interpolate(values, shape, mode="bilinear", align_corners=False, antialias=True)
