"""Pinhole and orthographic cameras, in batches: rays, projection, resizing, cropping."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .camera_json import camera_from_json, camera_to_json
from .rigid import rigid_inverse, transform_points

MODELS = ("pinhole", "orthographic")


@dataclass(frozen=True, eq=False)
class Camera:
    """A batch of cameras of one image size, with axes x right, y down, z forward.

    Args:
        world_from_camera: rigid poses.
        intrinsics: upper triangular, last row 0 0 1. Pinhole: maps (x/z, y/z, 1) to pixels. Orthographic: maps
            camera-space units (x, y, 1) to pixels. Pixel (0, 0) covers [0, 1] x [0, 1]; its centre is (0.5, 0.5).
        width: of the image, in pixels.
        height: of the image, in pixels.
        model: "pinhole" or "orthographic".

    Raises:
        InputError: a shape, the size or the model is not one of these.
    """

    world_from_camera: Float[Tensor, "b 4 4"]
    intrinsics: Float[Tensor, "b 3 3"]
    width: int
    height: int
    model: str = "pinhole"

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(f"Camera model is {self.model!r}; it must be one of {', '.join(MODELS)}.")
        if self.width < 1 or self.height < 1:
            raise InputError(f"Camera size is {self.width} x {self.height} pixels; both must be at least 1.")
        pose, matrix = tuple(self.world_from_camera.shape), tuple(self.intrinsics.shape)
        if len(pose) != 3 or pose[1:] != (4, 4):
            raise InputError(f"Camera world_from_camera has shape {pose}; it must be (b, 4, 4).")
        if matrix != (pose[0], 3, 3):
            raise InputError(f"Camera intrinsics has shape {matrix}; it must be ({pose[0]}, 3, 3).")

    @classmethod
    def from_fov(
        cls,
        world_from_camera: Float[Tensor, "b 4 4"],
        fov_y: float | Float[Tensor, " b"],
        width: int,
        height: int,
    ) -> Camera:
        """Pinhole cameras with square pixels and the principal point at the image centre; `fov_y` in radians."""
        fov = torch.as_tensor(fov_y, dtype=world_from_camera.dtype, device=world_from_camera.device)
        if not bool(((fov > 0) & (fov < math.pi)).all()):
            raise InputError(f"Camera fov_y is {fov_y} radians; it must lie between 0 and pi.")
        focal = (0.5 * height / torch.tan(0.5 * fov)).expand(len(world_from_camera))
        return cls(world_from_camera, _square_intrinsics(focal, width, height), width, height)

    @classmethod
    def orthographic(
        cls,
        world_from_camera: Float[Tensor, "b 4 4"],
        view_height: float | Float[Tensor, " b"],
        width: int,
        height: int,
    ) -> Camera:
        """Orthographic cameras with square pixels that show `view_height` world units from top to bottom."""
        span = torch.as_tensor(view_height, dtype=world_from_camera.dtype, device=world_from_camera.device)
        if not bool((span > 0).all()):
            raise InputError(f"Camera view_height is {view_height}; it must be positive.")
        scale = (height / span).expand(len(world_from_camera))
        return cls(world_from_camera, _square_intrinsics(scale, width, height), width, height, "orthographic")

    @classmethod
    def concatenate(cls, cameras: Sequence[Camera]) -> Camera:
        """One batch of all cameras, which must share size and model."""
        if not cameras:
            raise InputError("Camera.concatenate got no camera; give at least one.")
        kinds = {(c.width, c.height, c.model) for c in cameras}
        if len(kinds) > 1:
            raise InputError(f"Camera.concatenate got several sizes or models, {sorted(kinds)}; resize them first.")
        return replace(
            cameras[0],
            world_from_camera=torch.cat([c.world_from_camera for c in cameras]),
            intrinsics=torch.cat([c.intrinsics for c in cameras]),
        )

    def __repr__(self) -> str:
        size = f"{self.width} x {self.height} pixels, {self.model}"
        if len(self) != 1:
            return f"<{len(self)} cameras of {size}>"
        focal, place = float(self.intrinsics[0, 1, 1]), ", ".join(f"{each:.3g}" for each in self.position[0].tolist())
        unit = "focal length" if self.model == "pinhole" else "pixels per unit"
        return f"<Camera of {size}, {unit} {focal:.5g}, at ({place})>"

    @property
    def camera_from_world(self) -> Float[Tensor, "b 4 4"]:
        """The rigid inverse of `world_from_camera`."""
        return rigid_inverse(self.world_from_camera)

    @property
    def position(self) -> Float[Tensor, "b 3"]:
        """Camera centres in the world."""
        return self.world_from_camera[:, :3, 3]

    @property
    def fov_y(self) -> Float[Tensor, " b"]:
        """Vertical field of view of pinhole cameras, in radians."""
        if self.model != "pinhole":
            raise InputError("An orthographic camera has no field of view; use intrinsics instead.")
        top, focal = self.intrinsics[:, 1, 2], self.intrinsics[:, 1, 1]
        return torch.atan(top / focal) + torch.atan((self.height - top) / focal)

    def __len__(self) -> int:
        return len(self.world_from_camera)

    def __getitem__(self, index: int | slice) -> Camera:
        """A batch of the chosen cameras; an integer gives a batch of one."""
        if not isinstance(index, slice):
            if not -len(self) <= index < len(self):
                raise IndexError(f"camera {index} of {len(self)}")
            index = slice(index % len(self), index % len(self) + 1)
        return replace(self, world_from_camera=self.world_from_camera[index], intrinsics=self.intrinsics[index])

    def __iter__(self) -> Iterator[Camera]:
        return (self[index] for index in range(len(self)))

    def to(self, *args: Any, **kwargs: Any) -> Camera:
        """The same cameras on another device or in another dtype, as `Tensor.to`."""
        return replace(
            self,
            world_from_camera=self.world_from_camera.to(*args, **kwargs),
            intrinsics=self.intrinsics.to(*args, **kwargs),
        )

    def pixel_centers(self) -> Float[Tensor, "n 2"]:
        """(x, y) of every pixel centre, row-major, n = height * width."""
        x = torch.arange(self.width).to(self.intrinsics) + 0.5
        y = torch.arange(self.height).to(self.intrinsics) + 0.5
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        return torch.stack((columns, rows), dim=-1).reshape(-1, 2)

    def rays(
        self, pixels: Float[Tensor, "b n 2"] | None = None
    ) -> tuple[Float[Tensor, "b m 3"], Float[Tensor, "b m 3"]]:
        """Origins and unit directions in the world of the rays through `pixels` (default: all centres, row-major).

        Pinhole rays start at the camera centre, orthographic rays in the camera plane z = 0.
        """
        if pixels is None:
            pixels = self.pixel_centers().expand(len(self), -1, -1)
        plane = self._plane(pixels)
        one, zero = torch.ones_like(plane[..., :1]), torch.zeros_like(plane[..., :1])
        rotation = self.world_from_camera[:, :3, :3]
        if self.model == "pinhole":
            directions = torch.nn.functional.normalize(torch.cat((plane, one), dim=-1), dim=-1)
            origins = self.position[:, None, :].expand_as(directions)
            return origins, directions @ rotation.mT
        origins = transform_points(self.world_from_camera, torch.cat((plane, zero), dim=-1))
        return origins, rotation[:, None, :, 2].expand_as(origins)

    def project(self, points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b n 2"], Float[Tensor, "b n"]]:
        """Pixels of world points, and their depth along the camera's z axis (behind a camera it is negative)."""
        local = transform_points(self.camera_from_world, points)
        depth = local[..., 2]
        plane = local[..., :2] / depth[..., None] if self.model == "pinhole" else local[..., :2]
        pixels = plane @ self.intrinsics[:, :2, :2].mT + self.intrinsics[:, None, :2, 2]
        return pixels, depth

    def unproject(self, pixels: Float[Tensor, "b n 2"], depth: Float[Tensor, "b n"]) -> Float[Tensor, "b n 3"]:
        """World points at pixels and depths along the camera's z axis: the inverse of `project`."""
        plane = self._plane(pixels)
        if self.model == "pinhole":
            plane = plane * depth[..., None]
        return transform_points(self.world_from_camera, torch.cat((plane, depth[..., None]), dim=-1))

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels."""
        scale = self.intrinsics.new_tensor([width / self.width, height / self.height, 1.0])
        return replace(self, intrinsics=self.intrinsics * scale[:, None], width=width, height=height)

    def cropped(self, x0: int, y0: int, width: int, height: int) -> Camera:
        """The view of the window whose top left corner is pixel (x0, y0); it may reach outside the image."""
        offset = torch.zeros(3, 3).to(self.intrinsics)
        offset[0, 2], offset[1, 2] = x0, y0
        return replace(self, intrinsics=self.intrinsics - offset, width=width, height=height)

    def to_dict(self, *, covariance: Sequence[Sequence[float]] | None = None) -> dict[str, Any]:
        """The content of camera.json for one camera; `covariance` (6, 6) of its pose twist when it is known."""
        if len(self) != 1:
            raise InputError(f"camera.json holds one camera, this batch has {len(self)}; index it first.")
        return camera_to_json(
            model=self.model,
            world_from_camera=self.world_from_camera[0].detach().cpu().tolist(),
            intrinsics=self.intrinsics[0].detach().cpu().tolist(),
            width=self.width,
            height=self.height,
            covariance=covariance,
        )

    @classmethod
    def from_dict(cls, content: dict[str, Any], *, dtype: torch.dtype = torch.float32) -> Camera:
        """The camera of a camera.json.

        Raises:
            InputError: a field is missing or cannot be used; the message names the field.
        """
        fields = camera_from_json(content)
        return cls(
            world_from_camera=torch.tensor(fields.world_from_camera, dtype=torch.float64)[None].to(dtype),
            intrinsics=torch.tensor(fields.intrinsics, dtype=torch.float64)[None].to(dtype),
            width=fields.width,
            height=fields.height,
            model=fields.model,
        )

    def _plane(self, pixels: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 2"]:
        """Pixels mapped back through the intrinsics: to the plane z = 1 (pinhole) or to camera units."""
        fx, skew, cx = self.intrinsics[:, None, 0, 0], self.intrinsics[:, None, 0, 1], self.intrinsics[:, None, 0, 2]
        fy, cy = self.intrinsics[:, None, 1, 1], self.intrinsics[:, None, 1, 2]
        y = (pixels[..., 1] - cy) / fy
        x = (pixels[..., 0] - cx - skew * y) / fx
        return torch.stack((x, y), dim=-1)


def _square_intrinsics(scale: Float[Tensor, " b"], width: int, height: int) -> Float[Tensor, "b 3 3"]:
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    rows = (scale, zero, 0.5 * width * one, zero, scale, 0.5 * height * one, zero, zero, one)
    return torch.stack(rows, dim=-1).reshape(-1, 3, 3)
