"""What the network says of one photo, as a field in the world, kept inside and behind the whole mask."""

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
from .crop import Crop
from .model import Features, LiftNet

REACH = 1.3  # of the frame's cube, in half sides of the crop
COLUMNS, DEPTHS = 144, 48
THIN = 0.06
POINTS_AT_ONCE = 1 << 15


@dataclass(frozen=True, eq=False)
class FrameSolid:
    """The solid in the network's frame: its signed distance, carved by the mask and filled where it left the mask bare.

    A point outside the photo's silhouette is outside the object (visual hull). A pixel of the mask behind which the
    network puts nothing gets a thin round solid at the depth of its nearest covered neighbour.
    """

    net: LiftNet
    features: Features
    crops: Float[Tensor, "1 6 s s"]
    outline: Float[Tensor, "1 1 t t"]
    core: Float[Tensor, "1 2 c c"] | None = None

    def geometry(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Signed distance in half sides of the crop, negative inside."""
        outside = -_look_up(self.outline, uv)[:, 0]
        signed = torch.cat([self._network(p, q)[0] for p, q in _chunks(points, uv)])
        if self.core is not None:
            depth, half = _look_up(self.core, uv).unbind(dim=1)
            signed = torch.minimum(signed, (points[:, 2] - depth).abs() - half)
        return torch.maximum(signed, outside)

    def color(self, points: Float[Tensor, "n 3"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
        """Colour in 0..1."""
        return torch.cat([self._network(p, q)[1] for p, q in _chunks(points, uv)])

    def _network(self, points: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
        signed, colours = self.net(self.features, self.crops, points[None], uv[None])
        return signed[0], colours[0]

    def with_core(self, bend: float) -> FrameSolid:
        """The same solid with its bare pixels filled; `bend` is the crop's half side over its distance."""
        steps = (torch.arange(COLUMNS) + 0.5) * 2 / COLUMNS - 1
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        uv = torch.stack((columns, rows), -1).reshape(-1, 2)
        distance, height = (values[:, 0] for values in (_look_up(self.outline, uv), _look_up(self.crops[:, 5:6], uv)))
        inside = distance > 0
        depths = torch.linspace(-1, 1, DEPTHS)
        seen = uv[inside]
        points = torch.cat(
            (seen[:, None] * (1 + bend * depths)[None, :, None], depths.expand(len(seen), -1)[..., None]), -1
        )
        places = seen[:, None].expand(-1, DEPTHS, -1)
        signed = self.geometry(points.reshape(-1, 3), places.reshape(-1, 2)).reshape(-1, DEPTHS)
        solid = signed < -0.5 / DEPTHS
        middle = (solid * depths).sum(1) / solid.sum(1).clamp_min(1)
        covered = np.zeros(COLUMNS**2, bool)
        covered[inside.numpy()] = solid.any(dim=1).numpy()
        depth = np.zeros(COLUMNS**2, np.float32)
        depth[inside.numpy()] = middle.numpy()
        depth_map, half_map = _core(
            depth.reshape(COLUMNS, COLUMNS),
            covered.reshape(COLUMNS, COLUMNS),
            inside.numpy().reshape(COLUMNS, COLUMNS),
            height.numpy().reshape(COLUMNS, COLUMNS),
        )
        core = torch.from_numpy(np.stack((depth_map, half_map)))[None].float()
        return FrameSolid(self.net, self.features, self.crops, self.outline, core)


def _core(
    depth: np.ndarray, covered: np.ndarray, inside: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth and half thickness of the filling; below zero thickness where the network has put something."""
    bare = inside & ~covered
    if not bare.any():
        return np.zeros_like(depth), np.full_like(depth, -THIN)
    if covered.any():
        nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
        depth = ndimage.gaussian_filter(depth[nearest[0], nearest[1]], 2.0)
    near_bare = ndimage.binary_dilation(bare, iterations=2)
    return depth, np.where(near_bare, np.minimum(height, THIN), -THIN)


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

    def _in_frame(self, points: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        frame = (points - self.offset) @ self.rotation / self.scale
        return frame, self.crop.places(self.camera, points[None])[0]


def _look_up(maps: Float[Tensor, "1 c h w"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    found = functional.grid_sample(maps, uv[None, None], mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T


def _chunks(points: Tensor, uv: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(points.split(POINTS_AT_ONCE), uv.split(POINTS_AT_ONCE), strict=True))
