"""A scene's surface as its own depths have it: what all cameras see, averaged as truncated signed distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from ..camera import Camera
from ..nn.field import Field
from ..progress import work
from ..render.chunks import slices
from ..render.ray_renderer import RayRenderer

RAYS = 16_384
FAR = 1e6  # where a pixel shows nothing
FACING = 4  # power of the cosine between a view and the surface by which its colour counts
OPAQUE = 0.5  # coverage from which a pixel has a surface
WIDTH = 3.0  # cells on either side of a surface in which distances are averaged


@dataclass(frozen=True, eq=False)
class DepthView:
    """What one camera sees of a scene.

    Attributes:
        camera: that sees it.
        rgb: colors 0..1.
        distance: from the camera along unit rays, `FAR` where it sees nothing.
    """

    camera: Camera
    rgb: Float[Tensor, "h w 3"]
    distance: Float[Tensor, "h w"]

    def at(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"], Bool[Tensor, " n"], Float[Tensor, "n 3"]]:
        """The view at points.

        Returns:
            Colors of the pixels that show the points, 0..1; signed distances along the rays to the surface that is seen
            there, positive in front of it; whether the points project into the picture; unit vectors to the camera.
        """
        pixels, depth = self.camera.project(points[None])
        uv = 2.0 * pixels[0] / pixels.new_tensor([self.camera.width, self.camera.height]) - 1.0
        visible = (depth[0] > 0) & (uv.abs() <= 1.0).all(dim=-1)
        rgb = grid_sample(self.rgb.movedim(-1, 0)[None], uv[None, None], padding_mode="border", align_corners=False)[
            0, :, 0
        ].mT
        found = grid_sample(self.distance[None, None], uv[None, None], mode="nearest", align_corners=False)[0, 0, 0]
        outward = self.camera.world_from_camera[0, :3, 3] - points
        return rgb, found - outward.norm(dim=-1), visible, normalize(outward, dim=-1)


@dataclass(frozen=True, eq=False, repr=False)
class FusedField(Field):
    """A truncated signed distance grid over a box, colored by the views that see the surface.

    Attributes:
        distances: at the nodes, in world units; negative inside.
        box: lower and upper corner.
        views: of the cameras.
    """

    kind: ClassVar[Literal["sdf"]] = "sdf"

    distances: Float[Tensor, "x y z"]
    box: Float[Tensor, "2 3"]
    views: tuple[DepthView, ...]

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box."""
        return self.box

    @property
    def cell(self) -> float:
        """Side of a cell in world units."""
        return float((self.bounds[1] - self.bounds[0])[0]) / (len(self.distances) - 1)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Between nodes linear; beyond the box that of its border."""
        low, high = self.bounds
        uv = (2.0 * (points - low) / (high - low) - 1.0).flip(-1)
        return grid_sample(self.distances[None, None], uv[None, None, None], padding_mode="border", align_corners=True)[
            0, 0, 0, 0
        ]

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """sRGB 0..1: mean of the views that see a point, weighted by the cosine to its normal; of all if none does."""
        del directions
        normals, near = self.normals(points), WIDTH * self.cell
        total, weights = torch.zeros_like(points), torch.full_like(points[:, :1], 1e-12)
        for view in self.views:
            rgb, signed, visible, outward = view.at(points)
            facing = (normals * outward).sum(dim=-1).clamp_min(0.0) ** FACING
            # What is hidden counts for next to nothing, yet for something.
            weight = visible * torch.where(signed.abs() < near, facing, 1e-6)
            total += weight[:, None] * rgb
            weights += weight[:, None]
        return (total / weights).clamp(0.0, 1.0)

    def normals(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Unit vectors along which the distance grows."""
        step = self.cell * torch.eye(3).to(points)
        ahead, behind = (self.geometry((points[:, None] + sign * step).flatten(0, 1)) for sign in (1.0, -1.0))
        slope = (ahead - behind).unflatten(0, (-1, 3))
        return normalize(slope + slope.new_tensor([0.0, 1e-9, 0.0]), dim=-1)


@torch.no_grad()
def fused(
    renderer: RayRenderer,
    cameras: Sequence[Camera],
    bounds: Float[Tensor, "2 3"],
    *,
    resolution: int,
    device: torch.device | str = "cpu",
) -> FusedField:
    """Average of the truncated signed distances to the depth of each view (Curless and Levoy 1996).

    A node that no camera sees, or that all of them see only behind a surface, is inside. One that a camera sees through
    is outside, by as much as the others leave of that.

    Args:
        renderer: of the scene, whose rays tell distances.
        cameras: one each, in the size in which they are rendered.
        bounds: of a cube.
        resolution: cells along it.
        device: of the renderer; all else is done on the CPU.
    """
    low, high = bounds
    axes = [torch.linspace(float(low[axis]), float(high[axis]), resolution + 1) for axis in range(3)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    reach = WIDTH * float(high[0] - low[0]) / resolution
    total, count = torch.zeros(len(points)), torch.zeros(len(points))
    views: tuple[DepthView, ...] = ()
    with work("looking at the scene", len(cameras), unit="view") as show:
        for camera in cameras:
            views += (_depth_view(renderer, camera, device),)
            show(len(views))
    for view in views:
        _, signed, visible, _ = view.at(points)
        observed = visible & (signed > -reach)
        total += torch.where(observed, signed.clamp_max(reach), 0.0)
        count += observed
    values = torch.where(count > 0, total / count.clamp_min(1.0), -reach)
    return FusedField(values.reshape(3 * (resolution + 1,)), bounds, views)


def _depth_view(renderer: RayRenderer, camera: Camera, device: torch.device | str) -> DepthView:
    origins, directions = (rays[0].to(device) for rays in camera.rays())
    seen = [renderer(origins[part], directions[part]) for part in slices(len(origins), RAYS)]
    rgb, alpha, distance = (
        torch.cat([getattr(each, name) for each in seen]).cpu() for name in ("rgb", "alpha", "distance")
    )
    shape = camera.height, camera.width
    return DepthView(camera, rgb.reshape(*shape, 3), torch.where(alpha > OPAQUE, distance, FAR).reshape(shape))
