"""Cameras of a set's photos as the release evaluates with them: published numbers, and what part of a photo is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, to_opengl
from ...data.categories import CategoryPhotos
from ...data.categories.photos import Poses
from .cameras import camera_of


@dataclass(frozen=True, eq=False)
class SeenFrom:
    """Where something is seen from; the parts are those of `camera_of`.

    Attributes:
        world_from_camera: with the published axes and scale.
        focal: in widths of the whole photo; None for orthographic cameras.
        box: the part of the whole photo that is seen; None for all of it.
    """

    world_from_camera: Float[Tensor, "1 4 4"]
    focal: Float[Tensor, " 1"] | None
    box: Float[Tensor, "1 2 2"] | None = None

    @classmethod
    def of_photo(cls, photos: CategoryPhotos, number: int) -> SeenFrom:
        """The camera of a photo of known pose, and what part of the whole one the photo is."""
        assert photos.poses is not None
        return cls(*published_poses(photos.poses, [number]), window(photos, number))

    def camera(self, size: int, device: torch.device | str = "cpu") -> Camera:
        """Of pictures of `size` x `size` pixels."""
        matrices, focal, box = (
            None if each is None else each.to(device) for each in (self.world_from_camera, self.focal, self.box)
        )
        assert matrices is not None
        return camera_of(matrices, focal, (size, size), box=box)


def published_poses(poses: Poses, numbers: Sequence[int]) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, " n"] | None]:
    """Cameras of whole photos as `camera_of` takes them."""
    chosen = torch.as_tensor(numbers)
    matrices, focal = to_opengl(poses.world_from_camera[chosen]), poses.focal[chosen]
    if not poses.orthographic:
        return matrices, focal
    matrices = matrices.clone()
    matrices[:, :3, :3] /= focal[:, None, None]
    matrices[:, 3, 3] /= focal
    return matrices, None


def window(photos: CategoryPhotos, number: int) -> Float[Tensor, "1 2 2"] | None:
    """The part of the whole that a photo is; of orthographic sets cameras are moved instead."""
    return None if photos.category.orthographic else photos.box(number)[None]
