"""One object of the generator in the house's world: its field, its rays, and its cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, from_integer_centers
from ...nn.field import Field, FieldSamples
from ...render.ray_renderer import RayColors
from .config import Scene
from .decoder import BootstrapField
from .model import BootstrapGenerator
from .rendering import Maps, Seen, places_of, see

FAINT = 1e-4
"""Coverage below which a ray has no distance."""
Z_UP = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
"""Turns a world whose z goes up to one whose y does."""


@dataclass(frozen=True)
class Placement:
    """How the network's world lies in the house's: in the cube of side 1, y up.

    Attributes:
        scale: house units in one of the network's.
        turned: whether the network's z goes up, and not its y.
    """

    scale: float
    turned: bool = False

    @classmethod
    def of(cls, scene: Scene, up: str = "auto") -> Placement:
        """The network's cube becomes that of side 1.

        Args:
            up: its axis that goes up, y or z; auto: by the sample cameras, which stand upright in the mean; without
                such, z for renderings on white, else y.
        """
        turned = up == "z" if up != "auto" else scene.white
        if up == "auto" and scene.poses:
            above = torch.tensor(scene.poses).reshape(-1, 4, 4)[:, :3, 1].mean(dim=0)
            turned = bool(above[2] > above[1])
        return cls(0.5 / scene.half_side, turned)

    def rotation(self, like: Tensor) -> Float[Tensor, "3 3"]:
        """Of the network's vectors to the house's."""
        return like.new_tensor(Z_UP) if self.turned else torch.eye(3).to(like)

    def directions(self, vectors: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3"]:
        """Of the house, as the network's."""
        return vectors @ self.rotation(vectors)

    def points(self, points: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3"]:
        """Of the house, as the network's."""
        return self.directions(points) / self.scale

    def placed(self, points: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3"]:
        """Of the network, as the house's."""
        return self.scale * points @ self.rotation(points).mT

    def camera(self, camera: Camera, *, corner_pixels: bool) -> Camera:
        """One of the network's as the house's, on the CPU; where its rays pass corners, pixels move by a half."""
        pose = camera.world_from_camera.detach().float().cpu().clone()
        rotation = self.rotation(pose)
        pose[:, :3, :3] = rotation @ pose[:, :3, :3]
        pose[:, :3, 3] = self.placed(pose[:, :3, 3])
        intrinsics = camera.intrinsics.detach().float().cpu().clone()
        if camera.model == "orthographic":
            intrinsics[:, :2, :2] /= self.scale
        if corner_pixels:
            intrinsics = from_integer_centers(intrinsics)
        return replace(camera, world_from_camera=pose, intrinsics=intrinsics)

    def back(self, camera: Camera) -> Camera:
        """One of the house's in the network's world; pixels stay the house's."""
        pose = camera.world_from_camera.clone()
        rotation = self.rotation(pose)
        pose[:, :3, :3] = rotation.mT @ pose[:, :3, :3]
        pose[:, :3, 3] = self.points(camera.position)
        intrinsics = camera.intrinsics.clone()
        if camera.model == "orthographic":
            intrinsics[:, :2, :2] *= self.scale
        return replace(camera, world_from_camera=pose, intrinsics=intrinsics)


@dataclass(frozen=True, eq=False)
class PlacedObject:
    """One object, whose planes and palette are made once.

    Attributes:
        net: the generator.
        planes: of the object.
        palette: its colors, -1..1, where the generator has a palette.
        placement: of the network's world.
    """

    net: BootstrapGenerator
    planes: Float[Tensor, "1 3 c s s"]
    palette: Float[Tensor, "1 k 3"] | None
    placement: Placement

    def seen(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        maps: Maps | None = None,
        generator: torch.Generator | None = None,
    ) -> Seen:
        """What rays of the house see; lengths and places in the network's units."""
        config, places = self.net.config, places_of((1, len(origins)), self.net.config, generator)
        ours = self.placement.points(origins)[None], self.placement.directions(directions)[None]
        return see(self.net.objects(self.planes, self.palette), *ours, places, config, maps)


class PlacedField(Field):
    """Signed distance or density, and sRGB."""

    def __init__(self, made: PlacedObject) -> None:
        self.placement = made.placement
        self.inner: BootstrapField = made.net.field(made.planes[0], None if made.palette is None else made.palette[0])

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """Of the generator."""
        return self.inner.kind

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The cube."""
        return self.inner.bounds * self.placement.scale

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """Where colors depend on it."""
        inner = self.inner.representative_direction
        return None if inner is None else self.placement.rotation(inner) @ inner

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Geometry in world units, and sRGB 0..1."""
        along = None if directions is None else self.placement.directions(directions)
        found = self.inner.query(self.placement.points(points), along)
        return FieldSamples(self._in_house(found.geometry), found.values)

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance or density alone, in world units."""
        return self._in_house(self.inner.geometry(self.placement.points(points)))

    def _in_house(self, geometry: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return geometry * self.placement.scale if self.kind == "sdf" else geometry / self.placement.scale


@dataclass(frozen=True, eq=False)
class PlacedRays:
    """The object as any rays see it; differentiable in them."""

    made: PlacedObject

    @property
    def background(self) -> tuple[float, float, float]:
        """White or gray, sRGB 0..1."""
        return ((self.made.net.config.scene.background + 1) / 2,) * 3

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        seen = self.made.seen(origins, directions, generator=generator)
        alpha, depth = seen.alpha[0], seen.depth[0].detach() * self.made.placement.scale
        covered = alpha.detach() > FAINT
        distance = torch.where(covered, depth / alpha.detach().clamp_min(FAINT), torch.zeros_like(depth))
        return RayColors(((seen.rgb[0] + 1) / 2).clamp(0.0, 1.0), alpha, distance)
