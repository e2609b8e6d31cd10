"""Several objects of one photo in one world, seen by one camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh
from ..nn.field import Field, FieldSamples
from .placing import front_rotation
from .reconstructed import OwnFiles, View
from .reconstruction import Reconstruction
from .silhouette import mask_box

FILLED = 0.35  # radius of what the photo shows of all objects; they are as deep, and the world's radius is 0.5


def common_camera(masks: Sequence[Bool[np.ndarray, "h w"]], intrinsics: Float[Tensor, "3 3"]) -> Camera:
    """A camera that looks level at all objects of a photo: what they cover lies around the world's origin.

    Args:
        masks: of the objects, in pixels of the photo.
        intrinsics: of the photo.
    """
    height, width = masks[0].shape
    left, top, right, bottom = mask_box(np.logical_or.reduce(masks))
    pixels = [(left, top), (right, top), (left, bottom), (right, bottom), ((left + right) / 2, (top + bottom) / 2)]
    rays = torch.tensor([(*pixel, 1.0) for pixel in pixels], dtype=torch.float64) @ intrinsics.double().inverse().T
    rays = rays / rays.norm(dim=1, keepdim=True)
    aside = torch.linalg.cross(rays[:4], rays[4:].expand(4, 3)).norm(dim=1) / (rays[:4] @ rays[4])
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = front_rotation(rays[4])
    pose[2, 3] = FILLED / aside.max()
    return Camera(pose[None].float(), intrinsics[None].float(), width, height)


def in_common_world(found: Reconstruction, camera: Camera) -> Reconstruction:
    """The same object turned, moved and scaled so that `camera` sees it as its own camera does.

    A photo does not tell how far away an object is: its center comes to lie as far from the camera as the origin does.

    Raises:
        InputError: the method has not kept to the intrinsics that it was given, or has found no camera.
    """
    own = found.camera if found.has_camera else None
    if own is None or own.model != camera.model or not torch.allclose(own.intrinsics, camera.intrinsics, rtol=1e-4):
        raise InputError(
            f"{found.provenance.method} does not keep to a camera that several objects share: "
            "give one mask, or choose lift or inflate."
        )
    pose, back = camera.world_from_camera[0].double(), own.camera_from_world[0].double()
    scale = float(pose[:3, 3].norm() / own.position[0].double().norm())
    motion = pose @ torch.diag(torch.tensor([scale, scale, scale, 1.0], dtype=torch.float64)) @ back
    return PlacedReconstruction(
        field=PlacedField(found.field, motion.float(), scale),
        views=tuple(View(view.photo, camera) for view in found.views),
        provenance=found.provenance,
        parts=found.parts,
        texture=found.texture,
        capabilities=found.capabilities,
        own_files=None if found.own_files is None else _as_seen_before(found.own_files, own),
        alternatives=tuple(in_common_world(each, camera) for each in found.alternatives),
        original=found,
        motion=motion.numpy(),
    )


def _as_seen_before(write: OwnFiles, own: Camera) -> OwnFiles:
    def written(folder: Path, camera: Camera | None) -> Mapping[str, str]:
        del camera
        return write(folder, own)

    return written


@dataclass(frozen=True, eq=False)
class PlacedReconstruction(Reconstruction):
    """A reconstruction in another world than its method's; its mesh is that of the original, moved.

    Attributes:
        original: in its own world.
        motion: similarity from the original's world to this one.
    """

    original: Reconstruction | None = None
    motion: Float[np.ndarray, "4 4"] = dataclasses.field(default_factory=lambda: np.eye(4))

    def mesh(self, **options: Any) -> Mesh:
        """The original's textured mesh, moved; see `Reconstruction.mesh`."""
        assert self.original is not None
        return self.original.mesh(**options).transformed(self.motion)


@dataclass(frozen=True, eq=False, repr=False)
class PlacedField(Field):
    """A field turned, moved and scaled.

    Attributes:
        inner: the field.
        motion: similarity from its world to this one.
        scale: of the similarity.
    """

    inner: Field
    motion: Float[Tensor, "4 4"]
    scale: float

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """Of the field."""
        return self.inner.kind

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the field's, moved."""
        low, high = self.inner.bounds
        corners = torch.cartesian_prod(*torch.stack((low, high), 1)) @ self.motion[:3, :3].T + self.motion[:3, 3]
        return torch.stack((corners.amin(0), corners.amax(0)))

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """Of the field, turned."""
        known = self.inner.representative_direction
        return None if known is None else self.motion[:3, :3] @ known / self.scale

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Geometry and values, in units of this world."""
        turn = self.motion[:3, :3] / self.scale
        inside = (points - self.motion[:3, 3]) @ turn / self.scale
        found = self.inner.query(inside, None if directions is None else directions @ turn)
        factor = self.scale if self.kind == "sdf" else 1 / self.scale
        return FieldSamples(found.geometry * factor, found.values)
