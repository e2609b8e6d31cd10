"""A solid from a silhouette: every cross-section along the outline is round, as far as the outline allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...nn.field import Field


@dataclass(frozen=True, eq=False, repr=False)
class InflateField(Field):
    """Signed distance (approximate, negative inside) and colour of an inflated silhouette.

    A point is inside where w^2 < h^2(u, v): (u, v) is its pixel in the photo's camera and w its offset from the
    middle plane along the viewing direction, in pixels at that plane. The silhouette in that camera is the mask.

    Attributes:
        camera: of the photo, in working pixels; one.
        squared: h^2 on the map's grid, in (photo pixels)^2.
        slope: length of the gradient of h^2, in photo pixels.
        origin: photo pixel of the map's corner.
        cell: photo pixels per map cell.
        normal: unit normal of the middle plane, away from the camera; it passes through the world's origin.
        unit: world units per photo pixel at the middle plane.
        thickness: factor on the depth.
        image: colours for the surface, 0..1, extended beyond the mask.
    """

    camera: Camera
    squared: Float[Tensor, "rows columns"]
    slope: Float[Tensor, "rows columns"]
    origin: tuple[float, float]
    cell: float
    normal: Float[Tensor, 3]
    unit: float
    thickness: float
    image: Float[Tensor, "3 h w"]
    kind: Literal["density", "sdf"] = "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the sphere of radius 0.5."""
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, n]:
        """Approximate signed distance in world units: exact on a ball, of the right first order elsewhere."""
        pixels, depth = self.camera.project(points[None])
        squared, slope = self._lookup(torch.stack((self.squared, self.slope)), self._cells(pixels[0]))
        offset = points @ self.normal / (self.unit * self.thickness)
        implicit = squared - offset**2
        # On a ball of radius r, at distance rho from its centre: implicit = r^2 - rho^2, |gradient| = 2 rho.
        rho = 0.5 * torch.sqrt(slope**2 + 4 * offset**2)
        signed = rho - torch.sqrt((implicit + rho**2).clamp_min(0))
        signed = torch.where(depth[0] > 0, signed, rho)
        return signed * (self.unit * min(1.0, self.thickness))

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """Colour of the pixel in front of the point: behind, the photo is mirrored."""
        del directions
        pixels, _ = self.camera.project(points[None])
        return self._lookup(self.image, pixels[0]).T

    def _cells(self, pixels: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        return (pixels - torch.tensor(self.origin).to(pixels)) / self.cell

    @staticmethod
    def _lookup(maps: Float[Tensor, "c h w"], cells: Float[Tensor, "n 2"]) -> Float[Tensor, "c n"]:
        """Bilinear look-up, the border continued; cell centres at +0.5."""
        size = torch.tensor([maps.shape[2], maps.shape[1]]).to(cells)
        grid = (2 * cells / size - 1).to(maps)
        sampled = torch.nn.functional.grid_sample(
            maps[None], grid[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled[0, :, 0]
