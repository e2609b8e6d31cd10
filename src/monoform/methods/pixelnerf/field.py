"""An encoded object as a field of the house: density and colour in its world, for meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...camera.sphere import fibonacci_sphere
from ...mesh.isosurface import DENSITY_LEVEL
from ...nn.field import Field, FieldSamples
from ...render import ray_box
from ...scene.outline import Outline
from .config import Looking
from .fast_field import FastField

AVERAGED = 8
RAYS, SAMPLES = 512, 64


@dataclass(frozen=True, eq=False, repr=False)
class PixelNerfField(Field):
    """What a network says of an object, in the world of its reconstruction.

    Density depends on the view direction. Geometry takes the direction from the first source camera to the point, or
    the mean density over directions that are spread over the sphere.

    Attributes:
        field: in the network's world.
        scale: units of the world per unit of the network's; both have the same origin and axes.
        looking: how geometry chooses directions.
        outlines: of photos' masks; beyond them there is nothing.
        level: density per world unit at which the surface lies.
    """

    field: FastField
    scale: float = 1.0
    looking: Looking = "camera"
    outlines: tuple[Outline, ...] = ()
    level: float = DENSITY_LEVEL
    radius: float = 0.5
    kind: Literal["density", "sdf"] = "density"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the sphere that holds the object."""
        return self.field.encoded.latent.new_tensor([[-self.radius] * 3, [self.radius] * 3])

    @property
    def representative_direction(self) -> Float[Tensor, " 3"]:
        """Where the first source camera looks."""
        return -self.field.encoded.camera_from_world[0, 2, :3].float().cpu()

    def query(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None) -> FieldSamples:
        """Density per world unit, and sRGB, seen along `directions`; None: as `looking` says, sRGB from the camera."""
        found = self._ask(points, self._from_source(points) if directions is None else directions)
        if directions is None and self.looking == "average":
            return FieldSamples(self.geometry(points), found.values)
        return FieldSamples(self.carved(points, found.geometry), found.values)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density per world unit as `looking` says."""
        if self.looking == "camera":
            return self.query(points).geometry
        spread = fibonacci_sphere(AVERAGED).to(points)
        density = torch.stack([self._ask(points, one.expand_as(points)).geometry for one in spread]).mean(dim=0)
        return self.carved(points, density)

    def carved(self, points: Float[Tensor, "n 3"], density: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Nothing beyond the outlines; at an outline itself the density is that of the surface."""
        for outline in self.outlines:
            density = torch.minimum(density, self.level * (1 + outline.pixels(points)).clamp_min(0))
        return density

    def _ask(self, points: Tensor, directions: Tensor) -> FieldSamples:
        found = self.field.query(points / self.scale, directions, fine=True)
        return FieldSamples(found.geometry / self.scale, found.values)

    def _from_source(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        world = self.field.encoded.camera_from_world[0]
        position = -(world[:3, :3].mT @ world[:3, 3]) * self.scale
        return functional.normalize(points - position, dim=-1)


def surface_level(field: PixelNerfField, outline: Outline) -> float:
    """A density at which the object has a surface: the house's, or half of what its rays meet where that is less.

    A network that does not know how deep an object is spreads it along the rays, thin everywhere; one that knows has
    hundreds within. What a ray meets is its largest density, of the object's rays the median counts.
    """
    inside = (outline.distance > 0).nonzero()
    chosen = inside[:: max(1, len(inside) // RAYS)]
    origins, directions = (rays[0] for rays in outline.camera.rays(chosen.flip(1)[None] + 0.5))
    near, far, hit = ray_box(origins, directions, field.bounds)
    shares = (torch.arange(SAMPLES, device=near.device) + 0.5) / SAMPLES
    distances = near[:, None] + (far - near)[:, None] * shares
    points = origins[:, None] + distances[..., None] * directions[:, None]
    density = field.geometry(points.reshape(-1, 3)).reshape(distances.shape)
    peaks = density.amax(dim=1)[hit]
    return DENSITY_LEVEL if len(peaks) == 0 else min(DENSITY_LEVEL, 0.5 * float(peaks.median()))
