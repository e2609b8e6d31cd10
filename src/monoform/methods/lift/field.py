"""What the network says of one photo, as a field in the world, kept inside and behind the whole mask."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...scene.outline import squared_half_thickness
from .crop import Crop
from .model import Volumes

COLUMNS, DEPTHS = 144, 60
THIN = 0.06
INSIDE = 0.37  # chance of being inside from which a place is taken to be
CAUTION = math.log(0.5 / INSIDE)  # the same in scales of the Laplace distribution
NEAR = 0.05  # an error of the surface that counts as none, in half sides of the crop


@dataclass(frozen=True, eq=False)
class FrameSolid:
    """The solid in the network's frame: its signed distance, carved by the mask and filled where it left the mask bare.

    The network tells the median of the distance and the scale of its error. Where it is unsure, thin parts are rarely
    more likely than not and would vanish: a place counts as inside from the chance INSIDE on.
    A point outside the photo's silhouette is outside the object (visual hull). A pixel of the mask behind which the
    network puts nothing gets a thin round solid at the depth of its nearest covered neighbour.

    Attributes:
        volumes: the network's answer.
        outline: distance to the mask's outline in half sides of the crop, positive inside.
        core: depth and half thickness of the filling, the latter negative where there is none.
    """

    volumes: Volumes
    outline: Float[Tensor, "1 1 t t"]
    core: Float[Tensor, "1 2 c c"] | None = None

    def geometry(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Signed distance in half sides of the crop, negative inside."""
        answer = self.volumes
        signed = (answer.signed_at(points[None], uv[None]) - CAUTION * answer.scale_at(points[None], uv[None]))[0]
        if self.core is not None:
            depth, half = _look_up(self.core, uv).unbind(dim=1)
            signed = torch.minimum(signed, (points[:, 2] - depth).abs() - half)
        return torch.maximum(signed, -_look_up(self.outline, uv)[:, 0])

    def color(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
        """Colour in 0..1."""
        return self.volumes.colour_at(points[None], uv[None])[0]

    def confidence(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Probability, 0..1, that the distance errs by less than NEAR, by the network's own Laplace scale."""
        return 1 - torch.exp(-NEAR / self.volumes.scale_at(points[None], uv[None])[0])

    def with_core(self, bend: float) -> FrameSolid:
        """The same solid with its bare pixels filled; `bend` is the crop's half side over its distance."""
        steps = (torch.arange(COLUMNS) + 0.5) * 2 / COLUMNS - 1
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        uv = torch.stack((columns, rows), -1).reshape(-1, 2)
        inside = _look_up(self.outline, uv)[:, 0] > 0
        depths = torch.linspace(-self.volumes.reach, self.volumes.reach, DEPTHS)
        seen = uv[inside]
        across = seen[:, None] * (1 + bend * depths)[None, :, None]
        points = torch.cat((across, depths.expand(len(seen), -1)[..., None]), -1)
        places = seen[:, None].expand(-1, DEPTHS, -1)
        solid = self.geometry(points.reshape(-1, 3), places.reshape(-1, 2)).reshape(-1, DEPTHS) < 0
        middle = (solid * depths).sum(1) / solid.sum(1).clamp_min(1)
        maps = np.zeros((2, COLUMNS**2), np.float32)
        maps[:, inside.numpy()] = torch.stack((middle, solid.any(dim=1).float())).numpy()
        depth, covered = maps.reshape(2, COLUMNS, COLUMNS)
        core = _core(depth, covered > 0, self._distances(uv))
        return replace(self, core=torch.from_numpy(np.stack(core)).float()[None])

    def _distances(self, uv: Tensor) -> np.ndarray:
        return _look_up(self.outline, uv)[:, 0].reshape(COLUMNS, COLUMNS).numpy()


def _core(depth: np.ndarray, covered: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth and half thickness of the filling; below zero thickness where the network has put something."""
    bare = (distance > 0) & ~covered
    if not bare.any():
        return np.zeros_like(depth), np.full_like(depth, -THIN)
    if covered.any():
        nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
        depth = ndimage.gaussian_filter(depth[nearest[0], nearest[1]], 2.0)
    cell = 2 / COLUMNS
    height = cell * np.sqrt(np.maximum(squared_half_thickness(distance / cell, smoothing=1.0), 0))
    near_bare = ndimage.binary_dilation(bare, iterations=2)
    return depth, np.where(near_bare, np.minimum(height, THIN), -THIN).astype(np.float32)


@dataclass(frozen=True, eq=False)
class LiftField:
    """The solid in the world.

    Attributes:
        solid: in the network's frame; camera: of the photo, in working pixels; crop: in its pixels.
        world_from_frame: similarity: world = scale * rotation @ frame + offset.
    """

    solid: FrameSolid
    camera: Camera
    crop: Crop
    rotation: Float[Tensor, "3 3"]
    scale: float
    offset: Float[Tensor, " 3"]
    kind: Literal["density", "sdf"] = "sdf"
    representative_direction: Float[Tensor, " 3"] | None = None

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the sphere of radius 0.5."""
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in world units, negative inside."""
        return self.scale * self.solid.geometry(*self._in_frame(points))

    def color(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None) -> Float[Tensor, "n 3"]:
        """The network's colour, 0..1."""
        del directions
        return self.solid.color(*self._in_frame(points))

    def confidence(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """How sure the network is of the surface at each point, 0..1."""
        return self.solid.confidence(*self._in_frame(points))

    def _in_frame(self, points: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        frame = (points - self.offset) @ self.rotation / self.scale
        return frame, self.crop.places(self.camera, points[None])[0]


def _look_up(maps: Float[Tensor, "1 c h w"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    found = functional.grid_sample(maps, uv[None, None], mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T
