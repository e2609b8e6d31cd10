"""A photo's colors projected onto a shape that has none of its own, front and back alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ..camera import Camera
from ..nn.field import Field
from .photo import Photo


def photo_colors(points: Float[Tensor, "n 3"], camera: Camera, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "n 3"]:
    """sRGB 0..1 of an image of the camera's size where points are seen; beyond the image that of its border."""
    pixels, _ = camera.project(points[None])
    size = pixels.new_tensor([camera.width, camera.height])
    coords = (2 * pixels[0] / size - 1).clamp(-1, 1)
    found = grid_sample(image[None], coords[None, None], padding_mode="border", align_corners=False)
    return found[0, :, 0].mT


@dataclass(frozen=True, eq=False, repr=False)
class PhotoColored(Field):
    """A field's geometry with the colors of a photo.

    Attributes:
        field: of which only the geometry is asked.
        photo: with its mask, beyond which its colors are continued.
        camera: of its working image.
    """

    field: Field
    photo: Photo
    camera: Camera

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """The field's."""
        return self.field.kind

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The field's."""
        return self.field.bounds

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The field's."""
        return self.field.geometry(points)

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """sRGB 0..1 of the photo."""
        del directions
        image = torch.from_numpy(self.photo.filled()).to(points).permute(2, 0, 1)
        return photo_colors(points, self.camera.to(points.device, points.dtype), image)
