"""The square of a photo that the encoder is shown, and the photo's camera of that of the square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...data.categories.squares import grown, square_around
from ...scene import Photo
from ...scene.silhouette import mask_box
from .config import BootstrapConfig, Scene
from .target import Target

NARROWEST = 0.51
"""Focal length in image widths; pose parameters have none of a half or less."""
MARGIN, MARGIN_ON_WHITE = 0.05, 0.2


def margin_of(scene: Scene) -> float:
    """Around an object's box to each side, as a share of it."""
    return MARGIN_ON_WHITE if scene.white else MARGIN


@dataclass(frozen=True, eq=False)
class PhotoSquare:
    """A square around the object.

    Attributes:
        rgb: -1..1, the object on the generator's background.
        mask: 0..1.
        left: of the square in pixels of the original photo,
        top: the same, and
        side: its length.
    """

    rgb: Float[Tensor, "s s 3"]
    mask: Float[Tensor, "s s"]
    left: int
    top: int
    side: int

    @classmethod
    def of(cls, photo: Photo, config: BootstrapConfig, margin: float | None = None) -> PhotoSquare:
        """The square with the middle of the mask's box and its long side, and some margin.

        Args:
            photo: with its mask.
            config: of the generator.
            margin: to each side, as a share of the box; None: 0.05 as published, 0.2 on white, where training
                photos are whole.
        """
        assert photo.mask is not None
        margin = margin_of(config.scene) if margin is None else margin
        x0, y0, x1, y1 = mask_box(photo.mask > 0.5)
        x, y, wide, high = photo.in_original(x0, y0, x1 - x0, y1 - y0)
        left, top, side = square_around(grown((x, y, x + wide - 1, y + high - 1), margin))
        size = config.resolution
        window = photo.cropped(left, top, side, side, size=(size, size))
        assert window.mask is not None
        mask = torch.from_numpy(np.ascontiguousarray(window.mask)).float()
        rgb = 2 * torch.from_numpy(np.ascontiguousarray(window.rgb)).float() - 1
        shown = rgb * mask[..., None] + config.scene.background * (1 - mask[..., None])
        return cls(shown, mask, left, top, side)

    def known(self, camera: Camera | None, *, corner_pixels: bool) -> tuple[float, Float[Tensor, "1 2"]] | None:
        """Focal length and principal point of a photo's camera in shares of the square; None where it has none."""
        if camera is None or camera.model != "pinhole":
            return None
        matrix = camera.intrinsics[0].detach().cpu().double()
        focal = float(matrix[0, 0] / self.side)
        if focal < NARROWEST:
            return None
        middle = (matrix[:2, 2] - matrix.new_tensor([self.left, self.top])) / self.side
        if corner_pixels:
            middle = middle - 0.5 / len(self.mask)
        return focal, middle[None].float()

    def target(self, center: Float[Tensor, "1 2"] | None, device: torch.device) -> Target:
        """What is explained."""
        place = None if center is None else center.to(device)
        return Target(self.rgb[None].to(device), self.mask[None].to(device), center=place)

    def camera(self, photo: Photo, camera: Camera) -> Camera:
        """The camera of the whole photo of that of the square."""
        intrinsics = camera.intrinsics.clone()
        intrinsics[:, :2] *= self.side / len(self.mask)
        intrinsics[:, :2, 2] += intrinsics.new_tensor([self.left, self.top])
        return Camera(camera.world_from_camera, intrinsics, photo.width, photo.height, camera.model)
