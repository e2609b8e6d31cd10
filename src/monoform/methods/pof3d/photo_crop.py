"""The square of a photo that a generator is shown: as the pictures were cropped that it has learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...scene import Photo
from ...scene.silhouette import mask_box
from .config import Crop


@dataclass(frozen=True, eq=False)
class Square:
    """A square of a photo.

    Attributes:
        image: -1..1.
        weight: of each pixel, 0 beyond the photo.
        box: left, top and side in pixels of the original photo.
    """

    image: Float[Tensor, "3 s s"]
    weight: Float[Tensor, "s s"]
    box: tuple[float, float, float]

    def camera(self, photo: Photo, world_from_camera: Float[Tensor, "1 4 4"], focal: float) -> Camera:
        """The camera of the original photo, of that of the square, whose side is 1."""
        left, top, side = self.box
        pose = world_from_camera.float().cpu()
        rows = [[focal * side, 0, left + side / 2], [0, focal * side, top + side / 2], [0, 0, 1]]
        return Camera(pose, torch.tensor([rows], dtype=torch.float32), photo.width, photo.height)


def square_of(photo: Photo, size: int, crop: Crop, *, white: bool, fill: float) -> Square:
    """The square that is shown.

    Args:
        photo: with its mask.
        size: side in pixels.
        crop: "center": the middle, as wide as the shorter side; "pad": the whole photo, white beside it; "object":
            around the mask; "auto": object on white, center else.
        white: put the object on white, as pictures with a white background are.
        fill: share of the square's side that the object's longer side takes, where the square is around the object.

    Raises:
        InputError: the square is around an object that no mask shows.
    """
    if crop == "auto":
        crop = "object" if white else "center"
    if (crop == "object" or white) and photo.mask is None:
        raise InputError("pof3d needs the object's mask here: let matting.segment find one, or give one.")
    left, top, width, height = photo.crop
    if crop == "object":
        assert photo.mask is not None
        box = mask_box(photo.mask > 0.5)
        x, y, wide, high = photo.in_original(box[0], box[1], box[2] - box[0], box[3] - box[1])
        side = max(wide, high) / fill
        middle = (x + wide / 2, y + high / 2)
    else:
        side = min(width, height) if crop == "center" else max(width, height)
        middle = (left + width / 2, top + height / 2)
    corner = (middle[0] - side / 2, middle[1] - side / 2)
    window = photo.cropped(*corner, side, side, size=(size, size))
    covered = window.rgba[..., 3]  # nothing beyond the photo
    inside = window.mask if white and window.mask is not None else covered
    rgb = window.rgb * inside[..., None] + 1 - inside[..., None] if white or crop == "pad" else window.rgb
    weight = np.ones_like(covered) if white or crop == "pad" else covered
    return Square(
        torch.from_numpy(np.ascontiguousarray(2 * rgb.transpose(2, 0, 1) - 1)).float(),
        torch.from_numpy(np.ascontiguousarray(weight)).float(),
        (*corner, side),
    )
