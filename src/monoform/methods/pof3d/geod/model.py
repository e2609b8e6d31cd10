"""The inverse renderer: depth, albedo, light, view and confidence of a picture, and the picture made of them again.

Everything that is canonical is also used as its mirror image: the first half of what is returned is of the object as it
is, the second half of its mirror image (Wu et al. 2020, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import grid_sample, normalize

from ....errors import InputError
from .config import RESOLUTION, GeodConfig
from .depth_buffer import seen_depth
from .geometry import normals_of, pixels_of, surface_points, turned, turned_back, view_rotation
from .networks import ConfidenceNet, MapNet, ValueNet

BORDER = 2
"""Columns at each side that are held at one depth."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """A picture's object seen from straight ahead.

    Attributes:
        depth: along z.
        normal: of unit length.
        albedo: colors -1..1 without light.
        facing: cosine between the normal and the light's direction, at least 0.
        image: lit colors -1..1.
        view: angles in radians and shift of the picture's camera, that turn the object.
        sigma: expected deviation of pixels.
        sigma_features: expected deviation of features.
    """

    depth: Float[Tensor, "m 64 64"]
    normal: Float[Tensor, "m 64 64 3"]
    albedo: Float[Tensor, "m 3 64 64"]
    facing: Float[Tensor, "m 1 64 64"]
    image: Float[Tensor, "m 3 64 64"]
    view: Float[Tensor, "m 6"]
    sigma: Float[Tensor, "m 1 64 64"]
    sigma_features: Float[Tensor, "m 1 16 16"]


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """The object as the picture's camera sees it.

    Attributes:
        depth: along z, clamped to the range and its margins.
        normal: of unit length.
        image: colors -1..1, 0 where there is no surface.
        mask: 1 where the object and its mirror image both have a surface, else 0.
    """

    depth: Float[Tensor, "m 64 64"]
    normal: Float[Tensor, "m 64 64 3"]
    image: Float[Tensor, "m 3 64 64"]
    mask: Float[Tensor, "m 1 64 64"]


class InverseRenderer(nn.Module):
    """The five networks and what is made of their answers."""

    def __init__(self, config: GeodConfig | None = None) -> None:
        super().__init__()
        self.config = config or GeodConfig()
        self.netD = MapNet(1, bounded=False)
        self.netA = MapNet(3, bounded=True)
        self.netL, self.netV = ValueNet(4), ValueNet(6)
        self.netC = ConfidenceNet()

    def forward(self, images: Float[Tensor, "n 3 64 64"]) -> tuple[Canonical, Reconstructed]:
        """Both readings of pictures -1..1."""
        seen = self.canonical(images)
        return seen, self.reconstructed(seen)

    def canonical(self, images: Float[Tensor, "n 3 h w"]) -> Canonical:
        """The objects, and after them their mirror images.

        Raises:
            InputError: the pictures are not of 64 x 64.
        """
        if tuple(images.shape[2:]) != (RESOLUTION, RESOLUTION):
            size = f"{images.shape[3]} x {images.shape[2]}"
            raise InputError(f"The inverse renderer sees pictures of 64 x 64, not {size}.")
        depth = self._depth(self.netD(images)[:, 0])
        depth = torch.cat((depth, depth.flip(2)))
        albedo = self.netA(images)
        albedo = torch.cat((albedo, albedo.flip(3)))
        normal = normals_of(depth, self.config.fov)
        light = self.netL(images).repeat(2, 1)
        ambient, diffuse, facing = self._lit(normal, light)
        fine, coarse = self.netC(images)
        return Canonical(
            depth=depth,
            normal=normal,
            albedo=albedo,
            facing=facing,
            image=(albedo / 2 + 0.5) * (ambient + diffuse * facing) * 2 - 1,
            view=self._view(self.netV(images).repeat(2, 1)),
            sigma=torch.cat((fine[:, :1], fine[:, 1:])),
            sigma_features=torch.cat((coarse[:, :1], coarse[:, 1:])),
        )

    def reconstructed(self, seen: Canonical) -> Reconstructed:
        """The canonical surface turned into the view, seen there, and colored by looking back."""
        config, fov = self.config, self.config.fov
        rotation, shift = view_rotation(seen.view[:, :3]), seen.view[:, 3:]
        points = turned(surface_points(seen.depth, fov), rotation, shift, config.rotation_depth)
        warped = seen_depth(points, fov, supersampling=config.supersampling, uncovered=config.uncovered)
        depth = warped.clamp(config.min_depth - config.margin, config.farthest)
        back = turned_back(surface_points(depth, fov), rotation, shift, config.rotation_depth)
        grid = pixels_of(back, RESOLUTION, fov) / (RESOLUTION - 1) * 2 - 1
        both = (
            (depth < config.farthest).to(depth).reshape(2, -1, 1, RESOLUTION, RESOLUTION).prod(dim=0).repeat(2, 1, 1, 1)
        )
        image = grid_sample(seen.image, grid, mode="bilinear", align_corners=False)
        return Reconstructed(depth, normals_of(depth, fov), image * both, both)

    def _depth(self, raw: Float[Tensor, "n 64 64"]) -> Float[Tensor, "n 64 64"]:
        """Depth in its range, the mean in the middle, the columns at the sides held."""
        config = self.config
        bounded = torch.tanh(raw - raw.mean(dim=(1, 2), keepdim=True))
        depth = (1 + bounded) / 2 * config.max_depth + (1 - bounded) / 2 * config.min_depth
        held = torch.zeros(RESOLUTION, dtype=torch.bool, device=raw.device)
        held[:BORDER] = held[-BORDER:] = True
        return torch.where(held, config.border_depth, depth)

    def _lit(self, normal: Float[Tensor, "m 64 64 3"], light: Float[Tensor, "m 4"]) -> tuple[Tensor, Tensor, Tensor]:
        """Strength of the ambient light and of that from a direction in front, and how surfaces face the latter."""
        ambient, diffuse = (
            ((1 + values) / 2 * high + (1 - values) / 2 * low)[:, None, None, None]
            for values, (low, high) in ((light[:, 0], self.config.ambient), (light[:, 1], self.config.diffuse))
        )
        direction = normalize(torch.cat((light[:, 2:], torch.ones_like(light[:, :1])), dim=1), dim=1)
        return ambient, diffuse, torch.einsum("nhwi,ni->nhw", normal, direction).clamp(min=0)[:, None]

    def _view(self, raw: Float[Tensor, "m 6"]) -> Float[Tensor, "m 6"]:
        config = self.config
        turn = torch.pi / 180 * config.rotation_range
        return raw * raw.new_tensor((turn, turn, turn, config.xy_shift, config.xy_shift, config.z_shift))
