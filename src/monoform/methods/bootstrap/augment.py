"""Similarities that move images and their cameras alike (Pavllo et al. 2023, supplement): for ADA and for inversion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .pose_parameters import Focals, inverse_matrices

SPREAD, SHIFT = 0.2, 0.1
"""Deviations of the scale's logarithm to base 2, and of the translation in half images."""
Draws = Iterator[Tensor]
"""Given instead of drawn numbers, in their order: rotation, coin, scale, coin, translation, coin."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """A motion of each image in its plane.

    Attributes:
        rotation: radians.
        scale: of the view; above 1 the object gets smaller.
        shift: (x, y), y up, in half images.
    """

    rotation: Float[Tensor, " n"]
    scale: Float[Tensor, " n"]
    shift: Float[Tensor, "n 2"]

    @classmethod
    def draw(
        cls,
        count: int,
        probability: float = 1.0,
        *,
        scaled: bool = True,
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
    ) -> Similarity:
        """Motions whose three parts each happen with a probability.

        Args:
            scaled: whether there is a scale.
            generator: of the numbers, where these are not given.
            draws: the numbers, uniform or normal; none of the scale where it is not `scaled`.
        """

        device = None if generator is None else generator.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device) if draws is None else next(draws)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=device) if draws is None else next(draws)

        rotation = (uniform(count) - 0.5) * (2.0 * math.pi)
        rotation = rotation * (uniform(count) < probability)
        scale = torch.ones_like(rotation)
        if scaled:
            drawn = torch.exp2(SPREAD * normal(count))
            scale = torch.where(uniform(count) < probability, drawn, scale)
        shift = SHIFT * normal(count, 2)
        return cls(rotation, scale, shift * (uniform(count, 1) < probability))

    def to(self, like: Tensor) -> Similarity:
        """On the device, and in the precision, of a tensor."""
        return Similarity(*(value.to(like) for value in (self.rotation, self.scale, self.shift)))

    def images(self, images: Float[Tensor, "n c h w"], *, white: bool) -> Float[Tensor, "n c h w"]:
        """Moved images; what comes in from outside is 0, or 1 where the background is `white`.

        The published motion is about the middle of the image, while cameras count from the corner of the first pixel:
        image and `cameras` agree up to a pixel.
        """
        own = self.to(images)
        turn = own._turn()
        x, y = own.shift[:, 0], -own.shift[:, 1]
        moved = turn @ (own.scale[:, None] * torch.stack([x, y], dim=1))[:, :, None]
        matrix = torch.cat([turn * own.scale[:, None, None], moved], dim=2)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        background = float(white)
        found = functional.grid_sample(images - background, grid, padding_mode="zeros", align_corners=False)
        return found + background

    def cameras(
        self, world_from_camera: Float[Tensor, "n 4 4"], focal: Focals
    ) -> tuple[Float[Tensor, "n 4 4"], Focals]:
        """The cameras that see the moved images, in the published conventions."""
        own = self.to(world_from_camera)
        roll = torch.eye(4).to(world_from_camera).repeat(len(own.rotation), 1, 1)
        roll[:, :2, :2] = own._turn()
        pose = world_from_camera @ roll.mT
        if focal is not None:
            focal = focal / own.scale
            inverse = inverse_matrices(pose)
            inverse[:, :2, 3] -= own.shift * (-inverse[:, 2:3, 3] / (2.0 * focal[:, None]))
            return inverse_matrices(inverse), focal
        scale = own.scale[:, None, None]
        pose = torch.cat([pose[:, :, :3] * scale, torch.cat([pose[:, :3, 3:], pose[:, 3:, 3:] * scale], dim=1)], dim=2)
        inverse = inverse_matrices(pose)
        inverse[:, :2, 3] -= own.shift * pose[:, 3:, 3]
        found = inverse_matrices(inverse)
        size = pose[:, 3:, 3:]
        return torch.cat([found[:, :, :3] * size, torch.cat([found[:, :3, 3:], size], dim=1)], dim=2), None

    def _turn(self) -> Float[Tensor, "n 2 2"]:
        cos, sin = self.rotation.cos(), self.rotation.sin()
        return torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))
