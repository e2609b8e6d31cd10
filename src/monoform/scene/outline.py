"""The outline of a mask: how far it is, where it carves, and how thick a round solid inside it would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import grid_sample

from ..camera import Camera

STEADY = 1.5
STAIRS, MOVED = 1.5, 0.5  # pixels of the mask: standard deviation of the smoothing, and how far it moves an outline
BEHIND = -1e3  # pixels, of what is behind the camera


@dataclass(frozen=True, eq=False)
class Outline:
    """A photo's mask with its camera, to carve a field: points that project outside it are empty.

    Attributes:
        camera: of an image of the mask's size.
        distance: to the outline in pixels, positive inside.
    """

    camera: Camera
    distance: Float[Tensor, "h w"]

    @classmethod
    def of(cls, mask: Float[np.ndarray, "h w"], camera: Camera) -> Outline:
        """The outline of a mask of the camera's size."""
        return cls(camera, torch.from_numpy(signed_distance(mask)).float())

    def pixels(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in pixels to the mask's outline; beyond the image that of its border, less the way to it."""
        return self._at(points)[0]

    def world(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """About how far points are inside the cone of the mask, in world units."""
        pixels, depth = self._at(points)
        return torch.where(depth > 0, pixels * depth / self.camera.intrinsics[0, 0, 0], -1.0)

    def _at(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        pixels, depth = (each[0] for each in self.camera.project(points[None]))
        size = pixels.new_tensor([self.camera.width, self.camera.height])
        pixels = pixels.nan_to_num()
        inside = torch.minimum(pixels.clamp_min(0), size)
        coords = (2 * inside / size - 1)[None, None]
        found = grid_sample(self.distance[None, None], coords, padding_mode="border", align_corners=False)[0, 0, 0]
        return torch.where(depth > 0, found - (pixels - inside).norm(dim=-1), BEHIND), depth


def signed_distance(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Distance in pixels to the outline of the mask at 0.5, positive inside, exact to a fraction of a pixel."""
    inside = mask > 0.5
    inwards = _distance_to(~inside, mask)
    outwards = _distance_to(inside, mask)
    distance = np.where(inside, inwards, -outwards)
    # In the pixels on the outline the coverage itself tells where it runs.
    return np.where(np.abs(distance) < 1, np.clip(mask - 0.5, -0.5, 0.5), distance)


def without_stairs(distance: Float[np.ndarray, "h w"], pixel: float) -> Float[np.ndarray, "h w"]:
    """The signed distance to an outline without the stairs of its pixels; it moves by half a pixel at most.

    Args:
        distance: in cells of its array, positive inside.
        pixel: side of the mask's pixels in cells.
    """
    step = max(pixel, 1.0)
    smooth = ndimage.gaussian_filter(distance, STAIRS * step, mode="nearest")
    smooth += ndimage.gaussian_filter(distance - smooth, STAIRS * step, mode="nearest")  # what round parts had lost
    return np.clip(smooth, distance - MOVED * pixel, distance + MOVED * pixel)


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
