"""A solid from a silhouette: every cross-section along the outline is round, as far as the outline allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from ...camera import Camera

STEADY = 1.5


def signed_distance(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Distance in pixels to the outline of the mask at 0.5, positive inside, exact to a fraction of a pixel."""
    inside = mask > 0.5
    inwards = _distance_to(~inside, mask)
    outwards = _distance_to(inside, mask)
    distance = np.where(inside, inwards, -outwards)
    # In the pixels on the outline the coverage itself tells where it runs.
    return np.where(np.abs(distance) < 1, np.clip(mask - 0.5, -0.5, 0.5), distance)


def _distance_to(region: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Distance to the outline on the near side of a region: to its nearest pixel, less that pixel's own distance."""
    if not region.any():
        return np.full(mask.shape, float(sum(mask.shape)))
    distance, nearest = ndimage.distance_transform_edt(~region, return_indices=True)
    return distance - np.minimum(np.abs(mask[nearest[0], nearest[1]] - 0.5), 0.5)


def squared_half_thickness(distance: Float[np.ndarray, "h w"], *, smoothing: float) -> Float[np.ndarray, "h w"]:
    """h^2 of the union of all balls that are centred in the image plane and fit into the outline, smoothed.

    At p inside, h^2(p) = max_c d(c)^2 - |p - c|^2 over centres c, with d the distance to the outline: the
    envelope of parabolas, found one axis after the other. A disc becomes a ball, a strip a cylinder.
    Outside it goes on below zero, so that h^2 = 0 is the outline itself.

    Args:
        distance: signed distance to the outline in pixels, positive inside.
        smoothing: standard deviation in pixels of the blur of h^2 / d inside the outline.
    """
    inside = distance > 0
    squared = np.where(inside, np.maximum(distance, 0) ** 2, -1e6)
    envelope = _parabola_envelope(_parabola_envelope(squared).T).T
    ratio = envelope / np.maximum(distance, 0.5)
    # Close to the outline the ratio is a quotient of small numbers: take it from a little further in.
    steady = distance > STEADY
    reach, nearest = ndimage.distance_transform_edt(~steady, return_indices=True)
    ratio = np.where(inside & ~steady & (reach < 2 * STEADY), ratio[nearest[0], nearest[1]], ratio)
    weight = ndimage.gaussian_filter(inside.astype(np.float64), smoothing)
    smooth = ndimage.gaussian_filter(np.where(inside, ratio, 0.0), smoothing) / np.maximum(weight, 1e-6)
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    # Outside a ball of radius r, r^2 - rho^2 = (2 r + d) d with d = r - rho < 0 and 2 r the ratio at the outline.
    return (np.maximum(smooth[nearest[0], nearest[1]], 0.5) + np.maximum(-distance, 0)) * distance


def _parabola_envelope(values: np.ndarray) -> np.ndarray:
    """max_c values[..., c] - (x - c)^2 along the last axis, within the reach of the highest value."""
    reach = int(np.ceil(np.sqrt(max(values.max(), 0)))) + 1
    padded = np.pad(values, ((0, 0), (reach, reach)), constant_values=-1e6)
    best = values.copy()
    width = values.shape[1]
    for shift in range(1, reach + 1):
        lowered = np.maximum(
            padded[:, reach - shift : reach - shift + width], padded[:, reach + shift : reach + shift + width]
        )
        np.maximum(best, lowered - float(shift * shift), out=best)
    return best


@dataclass(frozen=True, eq=False)
class InflateField:
    """Signed distance (approximate, negative inside) and colour of an inflated silhouette.

    A point is inside where w^2 < h^2(u, v): (u, v) is its pixel in the photo's camera and w its offset from the
    middle plane along the viewing direction, in pixels at that plane. The silhouette in that camera is the mask.

    Attributes:
        camera: of the photo, in working pixels; one.
        squared: h^2 on the map's grid, in (photo pixels)^2.
        slope: length of the gradient of h^2, in photo pixels.
        origin: photo pixel of the map's corner; cell: photo pixels per map cell.
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
    representative_direction: Float[Tensor, 3] | None = None

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

    def color(
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
