"""Source views of objects, encoded, and points as their cameras see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, to_integer_centers, to_opengl
from ...camera.rigid import rigid_inverse


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of the source views of b objects, v views each; n = b v, the views of an object side by side.

    Attributes:
        views: v.
        latent: feature maps.
        vectors: of the whole images, or None.
        camera_from_world: x right, y up, z backward.
        focal: (fx, fy) in pixels.
        center: principal points in pixels, pixel centres at whole numbers.
        width: of the images in pixels.
        height: of the images in pixels.
    """

    views: int
    latent: Float[Tensor, "n c i j"]
    vectors: Float[Tensor, "n g"] | None
    camera_from_world: Float[Tensor, "n 4 4"]
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    width: int
    height: int

    @classmethod
    def of(cls, views: int, latent: Tensor, vectors: Tensor | None, cameras: Camera) -> Encoded:
        """Encoded views with their cameras, n pinholes in our convention."""
        intrinsics = to_integer_centers(cameras.intrinsics)
        return cls(
            views=views,
            latent=latent,
            vectors=vectors,
            camera_from_world=rigid_inverse(to_opengl(cameras.world_from_camera)),
            focal=intrinsics.diagonal(dim1=1, dim2=2)[:, :2],
            center=intrinsics[:, :2, 2],
            width=cameras.width,
            height=cameras.height,
        )

    @property
    def objects(self) -> int:
        """b."""
        return len(self.latent) // self.views

    def __getitem__(self, index: int) -> Encoded:
        """One of the objects."""
        if not 0 <= index < self.objects:
            raise IndexError(f"object {index} of {self.objects}")
        rows = slice(index * self.views, (index + 1) * self.views)
        return self._each(lambda values: values[rows])

    def to(self, *args: Any, **kwargs: Any) -> Encoded:
        """The same on another device or in another dtype, as `Tensor.to`."""
        return self._each(lambda values: values.to(*args, **kwargs))

    def detach(self) -> Encoded:
        """The same without a record of how it was made."""
        return self._each(Tensor.detach)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Encoded:
        return replace(
            self,
            latent=change(self.latent),
            vectors=None if self.vectors is None else change(self.vectors),
            camera_from_world=change(self.camera_from_world),
            focal=change(self.focal),
            center=change(self.center),
        )

    def seen(self, points: Float[Tensor, "b p 3"]) -> SeenPoints:
        """World points of each object in the frames of its source cameras."""
        repeated = points.repeat_interleave(self.views, dim=0)
        turned = repeated @ self.camera_from_world[:, :3, :3].mT
        return SeenPoints(turned, turned + self.camera_from_world[:, None, :3, 3])

    def turned(self, directions: Float[Tensor, "b p 3"]) -> Float[Tensor, "n p 3"]:
        """World directions along the axes of the source cameras."""
        return directions.repeat_interleave(self.views, dim=0) @ self.camera_from_world[:, :3, :3].mT

    def pixels(self, local: Float[Tensor, "n p 3"]) -> Float[Tensor, "n p 2"]:
        """(x, y) of points in the source cameras' frames; points behind a camera are mirrored into its image."""
        plane = local[..., :2] / local[..., 2:]
        return self.center[:, None] + plane * self.focal[:, None] * local.new_tensor([-1.0, 1.0])


@dataclass(frozen=True, eq=False)
class SeenPoints:
    """Points in the axes of source cameras.

    Attributes:
        centered: with the world's origin as origin.
        local: with the camera as origin.
    """

    centered: Float[Tensor, "n p 3"]
    local: Float[Tensor, "n p 3"]


def as_batch(images: Float[Tensor, "b v h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Images 0..1 as the encoder wants them, -1..1."""
    return 2 * images.flatten(0, 1).permute(0, 3, 1, 2) - 1
