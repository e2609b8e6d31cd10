"""Cars of CARLA (Schwarz et al. 2020): pictures over white, a matrix of the pose beside each, one lens for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...camera import from_opengl
from ...errors import InputError
from ...inputs import listed, picture_size, read_array, read_pixels
from ...inputs.remote import AnyPath, any_path
from ..posed.files import resize_by_area, rigid_pose
from .kinds import Category, Split
from .photos import NO_LABEL, CategoryPhotos, Poses


class CarlaPhotos(CategoryPhotos):
    """Reader of all pictures; `train` and `train-eval` are the same.

    Args:
        data: the folder that holds `carla`; a path or an address that fsspec knows.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, data: str | AnyPath, category: Category, split: Split = "train", **options: Any) -> None:
        super().__init__(category, split, **{"crop": False, "mirrored": False, **options})
        if split not in ("train", "train-eval"):
            raise InputError(f"{category.name} has no test set: choose the split train-eval.")
        self.root = any_path(data) / "carla"
        self.files = listed(self.root, (".png",), what="folder of pictures", advice="put the pictures of CARLA there")
        if not self.files:
            raise InputError(f"{self.root} holds no PNG image; put the pictures of CARLA there.")
        self.names = [file.name for file in self.files]
        poses = self.root / "carla_poses"
        width = picture_size(self.files[0])[0]
        focal = _focal(poses / "intrinsics.npy") / width
        matrices = np.stack([_pose(poses / f"{file.stem}_extrinsics.npy") for file in self.files])
        world_from_camera = from_opengl(torch.from_numpy(matrices).float())
        self.poses = Poses(world_from_camera, torch.full((len(self.names),), focal), orthographic=False).checked(poses)
        self.labels = torch.full((len(self),), NO_LABEL)
        self._width = width

    def _picture(self, place: int, size: int, mirrored: bool) -> Tensor:
        del mirrored
        file = self.files[place]
        rgb = read_pixels(file, "RGB")
        if rgb.shape[:2] != (self._width, self._width):
            raise InputError(
                f"{file} is {rgb.shape[1]} x {rgb.shape[0]} pixels, {self.names[0]} {self._width} wide: pictures must "
                "be square and of one size."
            )
        values = rgb[None].astype(np.float32) / 255 * 2 - 1
        return resize_by_area(values, (size, size))[0].movedim(-1, 0).contiguous()


def _focal(file: AnyPath) -> float:
    values = read_array(file, missing="it holds the lens of all pictures")
    if values.dtype.kind not in "fiu" or values.shape[-2:] != (3, 3) or not values.size:
        raise InputError(f"{file} has the shape {values.shape}; it must hold a matrix of 3 x 3 numbers.")
    focal = float(values.reshape(-1, 3, 3)[0, 0, 0])
    if not 0 < focal < 1e6:
        raise InputError(f"{file} has the focal length {focal:g}; it must be positive, in pixels.")
    return focal


def _pose(file: AnyPath) -> np.ndarray:
    values = read_array(file, missing="every picture needs its pose there")
    if values.dtype.kind not in "fiu" or values.shape not in ((3, 4), (4, 4)) or not np.isfinite(values).all():
        raise InputError(f"{file} must hold a 3 x 4 matrix of finite numbers, its shape is {values.shape}.")
    return rigid_pose(np.vstack((values[:3].astype(np.float64), (0.0, 0.0, 0.0, 1.0))), str(file))
