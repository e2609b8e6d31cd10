"""What the network says of one photo, as a field in the world, kept to the photo's mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...nn.field import Field
from ...scene.crop import Crop
from ...scene.outline import squared_half_thickness
from .hollow import Hollow
from .maps import continued, look_up
from .model import Surfaces

FINE = 192  # side of the maps that are looked up
ROUND = 0.3  # how far inside the outline the rounding of the rim begins, in halves of the thickness there
POWER = 2.5  # of the rounding: 2 is half an ellipse, more is nearer to a box
CALM = 1.0  # standard deviation, in pixels of the maps, by which what meets at the rim is smoothed
NEAR = 0.05  # an error of the surface that counts as none, in half sides of the crop


@dataclass(frozen=True, eq=False)
class FrameSolid:
    """The solid in the network's frame: what lies between front and back, inside the outline of the mask.

    Attributes:
        maps: z of front and back, by how much the slope of each shortens the way to it, and the width of the rim within
            which they bend towards each other, in half sides of the crop; (1, 5, f, f).
        scale: of the errors of front and back.
        photo: colours of the front, continued beyond the mask.
        back_colors: of the back; 0..1.
        outline: distance to the mask's outline in half sides of the crop, positive inside.
        hollow: what is free between front and back; None where nothing is.
    """

    maps: Float[Tensor, "1 5 f f"]
    scale: Float[Tensor, "1 2 h w"]
    photo: Float[Tensor, "1 3 p p"]
    back_colors: Float[Tensor, "1 3 h w"]
    outline: Float[Tensor, "1 1 t t"]
    hollow: Hollow | None = None

    @classmethod
    def of(cls, surfaces: Surfaces, photo: Float[Tensor, "1 3 p p"], outline: Float[Tensor, "1 1 t t"]) -> FrameSolid:
        """The solid of one prediction; pixels outside the mask take the values of the nearest inside."""

        def kept(maps: Tensor) -> Tensor:
            return continued(maps, functional.interpolate(outline, maps.shape[2:], mode="area") > 0)

        depths = _calm_at_rim(kept(torch.stack((surfaces.front, surfaces.back), 1)), outline)
        fine = functional.interpolate(depths, (FINE, FINE), mode="bicubic", align_corners=False)
        fine[:, 1] = torch.maximum(fine[:, 0], fine[:, 1])
        hollow = Hollow.of(surfaces.hollow, fine, outline)
        maps = torch.cat((fine, _shortening(fine), _rim_width(fine, outline, hollow)), 1)
        return cls(maps, kept(surfaces.scale), photo, kept(surfaces.color), outline, hollow)

    def geometry(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """About the signed distance in half sides of the crop, negative inside; its zeros are exact.

        Across the rim the solid is half an ellipse or superellipse (POWER), whose tip lies on the outline.
        """
        front, back, front_short, back_short, rim = look_up(self.maps, uv).unbind(dim=1)
        half = (0.5 * (back - front)).clamp_min(1e-4)
        off = points[:, 2] - 0.5 * (front + back)
        high, out = off.abs() / half, (1 - look_up(self.outline, uv)[:, 0] / rim).clamp_min(0)
        slant = torch.where(off < 0, front_short, back_short)
        level = (high**POWER + out**POWER) ** (1 / POWER)
        up, outwards = ((each / level.clamp_min(1e-6)) ** (POWER - 1) for each in (high, out))
        steepness = torch.hypot(up / (half * slant), outwards / rim)
        solid = torch.where(level > 1e-3, (level - 1) / steepness.clamp_min(1e-6), -half * slant)
        return solid if self.hollow is None else torch.maximum(solid, self.hollow.depth_within(points[:, 2], uv))

    def depths(self, uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """z of front and back."""
        front, back, _, _, rim = look_up(self.maps, uv).unbind(dim=1)
        out = (1 - look_up(self.outline, uv)[:, 0] / rim).clamp(0, 1)
        middle, half = 0.5 * (front + back), 0.5 * (back - front) * (1 - out**POWER) ** (1 / POWER)
        return torch.stack((middle - half, middle + half), 1)

    def color(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
        """Colour in 0..1: the photo's on the front, the network's on the back, in between a mixture."""
        share = self._behind(points, uv)[:, None]
        before, behind = look_up(self.photo, uv), look_up(self.back_colors, uv)
        return before + share * (behind - before)

    def confidence(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Probability, 0..1, that the nearer surface errs by less than NEAR, by the network's own Laplace scale."""
        share = self._behind(points, uv)
        front, back = look_up(self.scale, uv).unbind(dim=1)
        return 1 - torch.exp(-NEAR / torch.where(share < 0.5, front, back))

    def _behind(self, points: Tensor, uv: Tensor) -> Float[Tensor, " n"]:
        front, back = look_up(self.maps, uv)[:, :2].unbind(dim=1)
        return ((points[:, 2] - front) / (back - front).clamp_min(1e-3)).clamp(0, 1)


def _calm_at_rim(depths: Float[Tensor, "1 2 h w"], outline: Float[Tensor, "1 1 t t"]) -> Float[Tensor, "1 2 h w"]:
    """Depths smoothed near the outline, where those beyond it are copies of single pixels."""
    inwards = functional.interpolate(outline, depths.shape[2:], mode="area") * depths.shape[-1] / 2
    smooth = torch.from_numpy(ndimage.gaussian_filter(depths.numpy(), (0, 0, CALM, CALM), mode="nearest"))
    share = (1 - inwards / (3 * CALM)).clamp(0, 1)
    return depths + share * (smooth - depths)


def _rim_width(
    depths: Float[Tensor, "1 2 f f"], outline: Float[Tensor, "1 1 t t"], hollow: Hollow | None
) -> Float[Tensor, "1 1 f f"]:
    """As far as the solid is thick at the nearest place of the outline, at most up to the middle of thin parts.

    Beside a hollow front and back do not meet, and there is no rim.
    """
    cell = 2 / depths.shape[-1]
    inwards = functional.interpolate(outline, depths.shape[2:], mode="area")[0, 0].numpy() / cell
    nearest = ndimage.distance_transform_edt(inwards > 0, return_distances=False, return_indices=True)
    half = 0.5 * (depths[0, 1] - depths[0, 0]).numpy()
    if hollow is not None:
        half = np.where(hollow.maps[0, 2].numpy() > -2 * cell, 0.0, half)
    half = half[nearest[0], nearest[1]] / cell
    squared = squared_half_thickness(inwards, smoothing=1.0)
    inscribed = 0.5 * (squared / np.where(np.abs(inwards) < 0.25, 0.25, inwards) + inwards)
    width = np.minimum(ndimage.gaussian_filter(ROUND * half, 2.0), np.maximum(inscribed, 1.0)).clip(1.0)
    return torch.from_numpy(width * cell).float()[None, None]


def _shortening(depths: Float[Tensor, "1 2 f f"]) -> Float[Tensor, "1 2 f f"]:
    """1 over the length of (slope, 1): the way to a tilted plane against the way along the line of sight."""
    cell = 2 / depths.shape[-1]
    down, across = torch.gradient(depths, spacing=cell, dim=(2, 3))
    return (1 + across**2 + down**2).rsqrt().clamp_min(0.2)


@dataclass(frozen=True, eq=False, repr=False)
class LiftField(Field):
    """The solid in the world.

    Attributes:
        solid: in the network's frame.
        camera: of the photo, in working pixels.
        crop: in its pixels.
        world_from_frame: similarity: world = scale * rotation @ frame + offset.
    """

    solid: FrameSolid
    camera: Camera
    crop: Crop
    rotation: Float[Tensor, "3 3"]
    scale: float
    offset: Float[Tensor, " 3"]
    kind: Literal["density", "sdf"] = "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the sphere of radius 0.5."""
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in world units, negative inside."""
        return self.scale * self.solid.geometry(*self._in_frame(points))

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """The network's colour, 0..1."""
        del directions
        return self.solid.color(*self._in_frame(points))

    def confidence(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """How sure the network is of the surface at each point, 0..1."""
        return self.solid.confidence(*self._in_frame(points))

    def _in_frame(self, points: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        frame = (points - self.offset) @ self.rotation / self.scale
        return frame, self.crop.uv(self.camera, points[None])[0]
