"""The cars and chairs of scene representation networks (Sitzmann et al. 2019): a folder an object, a text file a pose.

`PREFIX_train`, `PREFIX_val` and `PREFIX_test` hold the objects; each has `intrinsics.txt` (first line: focal length,
principal point; last line: height, width), `rgb/*.png` and `pose/*.txt` (16 numbers, camera-to-world, y down, z
forward, world Z up). Pictures with transparency are laid over white, as the published ones were.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from ...camera import Camera, y_up_from_z_up
from ...camera.integer_centers import integer_center_camera
from ...errors import InputError
from ...inputs import listed, require_folder, require_regular_file
from ...inputs.remote import AnyPath, any_path
from .files import (
    boxes_of,
    image_files,
    read_composited,
    read_numbers,
    resize_by_area,
    rigid_pose,
    size_ratio,
)
from .objects import Place, PosedObject, PosedObjects

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
CARS, CHAIRS = (0.8, 1.8), (1.25, 2.75)
_CHAIRS_BELOW = "chairs_2.0_train"  # the published archive of the training chairs unpacks into one folder more
_PLAIN_BYTES = 8192  # no larger file of this size in pixels is a picture of one colour


def bounds_of(category: str) -> tuple[float, float]:
    """(near, far) of a category: those of the chairs if its name says chair, otherwise those of the cars."""
    return CHAIRS if "chair" in category.lower() else CARS


class SrnObjects(PosedObjects):
    """Reader of one split of one category.

    Objects without a single foreground pixel are left out with a warning, and named in `skipped`.

    Args:
        data: the path that the three folders share before `_train`, `_val`, `_test`; or a folder that holds the
            three folders of one category.
        size: (height, width) that images are brought to by averaging areas; None leaves them as they are.
        world_scale: multiplies camera positions and, as published, the focal length.
        keep_blank: whether objects without a foreground pixel stay.

    Raises:
        InputError: the folder of the split is missing or holds no object.
    """

    def __init__(
        self,
        data: str | AnyPath,
        split: Split = "train",
        *,
        size: tuple[int, int] | None = (128, 128),
        world_scale: float = 1.0,
        keep_blank: bool = False,
    ) -> None:
        prefix = srn_prefix(any_path(data))
        root = _objects_folder(prefix, split)
        places = [Place(folder, folder.name, prefix.name) for folder in listed(root) if _is_object(folder)]
        if not places:
            raise InputError(f"{root} holds no object; each is a folder with intrinsics.txt, rgb and pose.")
        told = [] if keep_blank else [place for place in places if _is_blank(place.folder)]
        blank = {place.key: f"{place.folder}: all its views are white" for place in told}
        for reason in blank.values():
            warnings.warn(f"{reason}; the object is left out.", stacklevel=2)
        super().__init__([place for place in places if place.key not in blank])
        self.skipped = blank
        self.size, self.world_scale = size, world_scale
        self.near, self.far = bounds_of(prefix.name)

    def cameras(self, which: int | str) -> Camera:
        """Cameras of all views of an object, for pictures of the size that is asked for; none is decoded.

        Raises:
            InputError: there is no such object, or a file of it cannot be used.
        """
        place = self._places[self.index(which)]
        files = self._image_files(place)
        return self._cameras(place, files, range(len(files)))

    def _image_files(self, place: Place) -> list[AnyPath]:
        return image_files(place.folder / "rgb")

    def _cameras(self, place: Place, files: list[AnyPath], views: Sequence[int]) -> Camera:
        focal, principal_point, (stored_height, stored_width) = read_intrinsics(place.folder / "intrinsics.txt")
        height, width = self.size or (stored_height, stored_width)
        ratio = width / stored_width, height / stored_height
        poses = np.stack([read_pose(place.folder / "pose" / f"{files[view].stem}.txt") for view in views])
        poses[:, :3, 3] *= self.world_scale
        return integer_center_camera(
            y_up_from_z_up(torch.from_numpy(poses).float()),
            width,
            height,
            (focal * self.world_scale * ratio[0], focal * self.world_scale * ratio[1]),
            (principal_point[0] * ratio[0], principal_point[1] * ratio[1]),
        )

    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        stored = read_intrinsics(place.folder / "intrinsics.txt")[2]
        images, alpha = read_composited([files[view] for view in views], self.background)
        if images.shape[1:3] != stored:
            raise InputError(
                f"{place.folder / 'intrinsics.txt'} says {stored[1]} x {stored[0]} pixels but {files[views[0]].name} "
                f"has {images.shape[2]} x {images.shape[1]}; correct the last line (height, width)."
            )
        inside = (images != 1.0).all(axis=-1) if alpha is None else alpha >= 0.5
        cover = inside.astype(np.float32) if alpha is None else alpha
        ratio = size_ratio(images, self.size)
        resized = resize_by_area(images, self.size)
        cameras = self._cameras(place, files, views)
        return self._seen(
            place, views, resized, cameras, resize_by_area(cover[..., None], self.size), boxes_of(inside, ratio)
        )


def srn_prefix(data: AnyPath) -> AnyPath:
    """What the folders of the three splits have in common, from that or from the folder that they lie in.

    Raises:
        InputError: no such folder is there, or those of several categories.
    """
    if any(any_path(f"{data}_{split}").is_dir() for split in SPLITS):
        return data
    found = srn_prefixes(data)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(prefix) for prefix in found)
        raise InputError(f"{data} holds several categories; give one of {names}.")
    raise InputError(f"There is no folder {data}_train, {data}_val or {data}_test; give the path before _train.")


def srn_prefixes(data: AnyPath) -> list[AnyPath]:
    """The prefixes of all categories of which a split with objects lies in a folder."""
    if not data.is_dir():
        return []
    found = {
        folder.name.removesuffix(f"_{split}")
        for folder in listed(data)
        for split in SPLITS
        if folder.name.endswith(f"_{split}") and folder.is_dir() and _holds_objects(folder)
    }
    return [data / name for name in sorted(found)]


def read_intrinsics(file: AnyPath) -> tuple[float, tuple[float, float], tuple[int, int]]:
    """(focal length in pixels, principal point with pixel centres at whole numbers, (height, width)).

    Raises:
        InputError: the file is missing or does not hold these.
    """
    what = "the focal length and principal point in its first line, height and width in its last"
    lines = read_numbers(file, what)
    if not lines or len(lines[0]) < 3 or len(lines[-1]) != 2 or len(lines) < 2:
        raise InputError(f"{file} is incomplete: it must hold {what}.")
    focal, cx, cy = lines[0][:3]
    height, width = lines[-1]
    if not focal > 0 or height < 1 or width < 1 or height % 1 or width % 1:
        raise InputError(f"{file} has focal length {focal} and size {height} x {width}; give positive, whole pixels.")
    return focal, (cx, cy), (int(height), int(width))


def read_pose(file: AnyPath) -> Float[np.ndarray, "4 4"]:
    """Camera-to-world, y down, z forward, in a world with Z up.

    Raises:
        InputError: the file is missing or holds no rigid pose.
    """
    what = "the 16 numbers of a camera-to-world matrix"
    numbers = [number for line in read_numbers(file, what) for number in line]
    if len(numbers) != 16:
        raise InputError(f"{file} holds {len(numbers)} numbers; it must hold {what}.")
    return rigid_pose(np.array(numbers).reshape(4, 4), str(file))


def _objects_folder(prefix: AnyPath, split: Split) -> AnyPath:
    if split not in SPLITS:
        raise InputError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
    root = any_path(f"{prefix}_{split}")
    require_folder(root, "folder", advice=f"the objects of the split {split} belong there")
    below = root / _CHAIRS_BELOW
    return below if below.is_dir() and not _is_object(below) else root


def _holds_objects(folder: AnyPath) -> bool:
    return (folder / _CHAIRS_BELOW).is_dir() or any(_is_object(below) for below in listed(folder))


def _is_object(folder: AnyPath) -> bool:
    return not folder.name.startswith(".") and ((folder / "rgb").is_dir() or (folder / "intrinsics.txt").is_file())


def _is_blank(folder: AnyPath) -> bool:
    """Whether every view is white; told by the small files of plain pictures, so that others are not opened."""
    try:
        files = image_files(folder / "rgb")
        return all(
            require_regular_file(file) < _PLAIN_BYTES and (read_composited([file], 1.0)[0] == 1.0).all()
            for file in files
        )
    except InputError:
        return False  # reading the object will say what is wrong with it
