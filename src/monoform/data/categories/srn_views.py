"""ShapeNet's cars and chairs (scene representation networks) as one list of views, object after object."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...camera import Camera, to_integer_centers, z_up_from_y_up
from ...errors import InputError
from ...inputs.remote import AnyPath, any_path
from ..posed.files import resize_by_area
from ..posed.srn import SrnObjects
from .kinds import Category, Split
from .photos import NO_LABEL, CategoryPhotos, Poses

LENS = 1e-4  # share by which focal lengths may differ


class SrnViews(CategoryPhotos):
    """Reader of one split, in the world of the files, whose Z is up.

    Args:
        data: the folder that holds `shapenet`; a path or an address that fsspec knows.

    Raises:
        InputError: the folder of the split is missing or holds no object, or objects have different lenses.
    """

    def __init__(self, data: str | AnyPath, category: Category, split: Split = "train", **options: Any) -> None:
        super().__init__(category, split, **{"crop": False, "mirrored": False, **options})
        if split == "imagenet-test":
            raise InputError(f"The split imagenet-test is of p3d_car; {category.name} has none.")
        prefix = any_path(data) / "shapenet" / category.name.removeprefix("shapenet_")
        self.objects = SrnObjects(prefix, "test" if split == "test" else "train", size=None, keep_blank=True)
        counts = [self.objects.view_count(number) for number in range(len(self.objects))]
        self.views_per_object = counts[0] if len(set(counts)) == 1 else None
        self.object_of = np.repeat(np.arange(len(counts)), counts)
        self._first = np.concatenate(([0], np.cumsum(counts)))
        self.names = [
            f"{key}/{view:06d}" for key, count in zip(self.objects.keys, counts, strict=True) for view in range(count)
        ]
        self.poses = self._read_poses().checked(prefix)
        self.labels = torch.full((len(self),), NO_LABEL)

    def _read_poses(self) -> Poses:
        poses, focals = [], []
        for number in range(len(self.objects)):
            cameras = self.objects.cameras(number)
            poses.append(z_up_from_y_up(cameras.world_from_camera))
            focals.append(cameras.intrinsics[:, 0, 0] / cameras.width)
            _require_central(cameras, self.objects.keys[number])
        focal = torch.cat(focals)
        other = (focal / focal[0] - 1).abs() > LENS
        if bool(other.any()):
            name = self.names[int(other.nonzero()[0])]
            raise InputError(f"{name} has another focal length than {self.names[0]}: views must share a lens.")
        return Poses(torch.cat(poses), focal, orthographic=False)

    def _picture(self, place: int, size: int, mirrored: bool) -> Tensor:
        del mirrored
        number = int(self.object_of[place])
        image = self.objects.load(number, [place - int(self._first[number])]).images[0]
        image = resize_by_area(image[None].numpy(), (size, size))[0]
        return (2 * image - 1).movedim(-1, 0).contiguous()


def _require_central(cameras: Camera, key: str) -> None:
    center = to_integer_centers(cameras.intrinsics)[:, :2, 2]
    middle = torch.tensor([0.5 * cameras.width, 0.5 * cameras.height])
    if cameras.width != cameras.height or float((center - middle).abs().max()) > 0.02 * cameras.width:
        raise InputError(f"{key}: pictures must be square, with the principal point in the middle.")
