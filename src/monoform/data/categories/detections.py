"""Cars of Pascal3D+ and categories of ImageNet: detections with masks, and cameras that were estimated for them.

`detections.npy` holds an entry for each photo (path, box, mask), `poses_estimated_*_perspective.bin` the cameras of
those that are used. The test cars of Pascal3D+ stand in CMR's `car_val.mat`, without cameras; ImageNet's test cars are
those of its own list that are not among the training cars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import rigid, rigid_inverse, rotation_from_quaternion
from ...errors import InputError
from ...inputs import read_pixels
from ...inputs.checkpoints import read_checkpoint
from ...inputs.mat_files import read_structures
from ...inputs.object_arrays import read_records
from ...inputs.remote import AnyPath, any_path
from .kinds import Category, Split
from .photos import NO_LABEL, CategoryPhotos, Poses, inside
from .run_lengths import RunLengthMask
from .squares import Box, Square, grown, masked_square, mirrored_box, normalized_box, square_around, whole

ADVICE = "copy the file again"
PHOTOS = "p3d/PASCAL3D+_release1.1/Images"
_MIRROR = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)


@dataclass(frozen=True)
class Detection:
    """An object in a photo: its path below the set's folder, its box and its mask."""

    path: str
    box: Box
    mask: RunLengthMask


class DetectedPhotos(CategoryPhotos):
    """Reader of one split.

    Args:
        data: the folder that holds `p3d` and `imagenet`; a path or an address that fsspec knows.

    Raises:
        InputError: a file is missing, damaged, or does not fit the others.
    """

    def __init__(self, data: str | AnyPath, category: Category, split: Split = "train", **options: Any) -> None:
        super().__init__(category, split, **options)
        self.root = any_path(data)
        if split == "test" and category.test_views is None:
            raise InputError(f"{category.name} has no test set: choose the split train-eval.")
        if split == "imagenet-test" and category.name != "p3d_car":
            raise InputError(f"The split imagenet-test is of p3d_car; {category.name} has none.")
        if split == "test":
            self.detections, self.poses = _test_photos(self.root, category.name), None
        else:
            self.detections, self.poses = self._listed(category, split)
        if not self.detections:
            raise InputError(f"The split {split} of {category.name} in {data} holds no photo: check the lists.")
        self.names = [detection.path for detection in self.detections]
        self.labels = torch.full((len(self),), NO_LABEL)

    def _listed(self, category: Category, split: Split) -> tuple[list[Detection], Poses]:
        file, poses_file = lists_of(self.root, category.name)
        if split != "imagenet-test":
            found = read_detections(file)
            number, tables = read_pose_tables(poses_file, len(found))
            return [found[each] for each in number], _poses(tables, self.has_mirrored).checked(poses_file)
        trained = {PurePosixPath(detection.path).name for detection in read_detections(file)}
        file, poses_file = lists_of(self.root, category.name.replace("p3d", "imagenet"))
        found = read_detections(file)
        number, tables = read_pose_tables(poses_file, len(found))
        kept = [at for at, each in enumerate(number) if PurePosixPath(found[each].path).name not in trained]
        tables = {name: values[kept] for name, values in tables.items()}
        return [found[number[at]] for at in kept], _poses(tables, self.has_mirrored).checked(poses_file)

    def _picture(self, place: int, size: int, mirrored: bool) -> Tensor:
        detection = self.detections[place]
        file = inside(self.root, detection.path, self.root)
        rgb, mask = read_pixels(file, "RGB"), _mask_of(detection.mask, file)
        require_fitting(file, rgb, mask, detection.box)
        if mirrored:
            rgb, mask = np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
        return masked_square(rgb, mask, self._square(detection, mirrored), size)

    def box(self, number: int) -> Tensor:
        detection = self.detections[number % len(self.names)]
        square = self._square(detection, number >= len(self.names))
        return torch.from_numpy(normalized_box(square, detection.mask.width, detection.mask.height))

    def _square(self, detection: Detection, mirrored: bool) -> Square:
        width, height = detection.mask.width, detection.mask.height
        box = mirrored_box(detection.box, width) if mirrored else detection.box
        return square_around(grown(box, self.margin) if self.crop else whole(width, height))


def lists_of(root: AnyPath, name: str) -> tuple[AnyPath, AnyPath]:
    """Where detections and cameras of a category lie."""
    kind, templates = ("imagenet", "multitpl") if name.startswith("imagenet_") else ("p3d", "singletpl")
    folder = root / kind / name
    return folder / "detections.npy", folder / f"poses_estimated_{templates}_perspective.bin"


def validation_file(root: AnyPath, name: str) -> AnyPath:
    """Where the test photos of a category of Pascal3D+ are listed."""
    return root / "p3d" / "p3d_sfm_image" / "img_anno" / f"{name.removeprefix('p3d_')}_val.mat"


def photos_folder(root: AnyPath) -> AnyPath:
    """Where the photos of Pascal3D+ lie."""
    return root / PHOTOS


def read_detections(file: AnyPath) -> list[Detection]:
    """All entries of a `detections.npy`.

    Raises:
        InputError: it is missing, damaged, or an entry is none.
    """
    missing = "it lists the photos with their boxes and masks"
    found = []
    for number, entry in enumerate(read_records(file, advice=ADVICE, missing=missing)):
        try:
            path = entry.get("image_path")
            if not isinstance(path, str):
                raise ValueError("it has no image_path")
            mask = RunLengthMask.parsed(entry.get("mask"))
            found.append(Detection(path.replace("datasets/", ""), _box_of(entry), mask))
        except (ValueError, TypeError) as error:
            raise InputError(f"{file}: entry {number} cannot be used, {error}; {ADVICE}.") from error
    return found


def read_pose_tables(file: AnyPath, count: int) -> tuple[list[int], dict[str, Float[Tensor, "n _"]]]:
    """Which detections have a camera, in which order, and z0, t, s, R of each in double precision.

    Raises:
        InputError: it is missing, damaged, lacks one of these, or they do not fit the `count` detections.
    """
    content = read_checkpoint(file, ADVICE, missing="it holds the cameras of the detections")
    sizes = {"z0": 1, "t": 2, "s": 1, "R": 4}
    if not isinstance(content, dict) or not {"indices", *sizes} <= set(content):
        raise InputError(f"{file} lacks one of indices, z0, t, s and R: give a file of estimated perspective poses.")
    numbers = _numbers(content["indices"]).reshape(-1)
    if numbers.dtype.kind not in "iu" or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < count):
        raise InputError(f"{file} has indices that none of the {count} detections has; both files must be of one set.")
    tables = {}
    for name, size in sizes.items():
        values = _numbers(content[name])
        if values.dtype.kind not in "fiu" or values.size != len(numbers) * size or not np.isfinite(values).all():
            raise InputError(f"{file}: {name} must hold {size} finite numbers for each of {len(numbers)} indices.")
        tables[name] = torch.from_numpy(values.astype(np.float64).reshape(len(numbers), size))
    if len(numbers) and (float(tables["s"].abs().min()) == 0 or float(tables["R"].norm(dim=1).min()) == 0):
        raise InputError(f"{file} has a camera whose scale or quaternion is zero; {ADVICE}.")
    return numbers.tolist(), tables


def _poses(tables: dict[str, Tensor], with_mirrored: bool) -> Poses:
    """Cameras of whole photos: focal length (1 + exp z0) / 2, translation (t / s, (1 + exp z0) / s)."""
    quaternion, shift = tables["R"], tables["t"]
    if with_mirrored:
        quaternion = torch.cat((quaternion, quaternion * _MIRROR))
        shift = torch.cat((shift, shift * shift.new_tensor([-1.0, 1.0])))
    repeat = 2 if with_mirrored else 1
    double, scale = 1 + tables["z0"].exp().repeat(repeat, 1), tables["s"].repeat(repeat, 1)
    translation = torch.cat((shift / scale, double / scale), dim=1)
    pose = rigid_inverse(rigid(rotation_from_quaternion(quaternion), translation))
    return Poses(pose.float(), (0.5 * double[:, 0]).float(), orthographic=False)


def _test_photos(root: AnyPath, name: str) -> list[Detection]:
    file = validation_file(root, name)
    missing = "it lists the test photos with their boxes and masks"
    return [
        annotated(entry, f"{PHOTOS}/{path_of(entry, file)}", file)
        for entry in read_structures(file, "images", advice=ADVICE, missing=missing)
    ]


def annotated(entry: dict[str, Any], path: str, file: AnyPath) -> Detection:
    """A photo of a .mat file of annotations, whose boxes count pixels from 1.

    Raises:
        InputError: its box or mask is missing.
    """
    mask = entry.get("mask")
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype.kind not in "uifb" or not mask.size:
        raise InputError(f"{file} has no mask for {path}; {ADVICE}.")
    try:
        box = _box_of(entry, first=1)
    except ValueError as error:
        raise InputError(f"{file}: {path} cannot be used, {error}; {ADVICE}.") from error
    return Detection(path, box, RunLengthMask.of(mask))


def path_of(entry: dict[str, Any], file: AnyPath) -> str:
    """The photo that an entry of a .mat file is of.

    Raises:
        InputError: it names none.
    """
    if not isinstance(entry.get("rel_path"), str):
        raise InputError(f"{file} has an entry without rel_path; {ADVICE}.")
    return entry["rel_path"].replace("\\", "/")


def require_fitting(file: AnyPath, rgb: np.ndarray, mask: np.ndarray, box: Box) -> None:
    """Refuse a photo that its mask or its box does not fit."""
    if rgb.shape[:2] != mask.shape:
        raise InputError(
            f"{file} is {rgb.shape[1]} x {rgb.shape[0]} pixels but its mask is {mask.shape[1]} x {mask.shape[0]}: "
            "photos and lists must be of one release."
        )
    height, width = mask.shape
    left, top, right, bottom = box
    beside = right < 0 or bottom < 0 or left >= width or top >= height
    if beside or min(left, top) < -max(mask.shape) or max(right, bottom) > 2 * max(mask.shape):
        raise InputError(
            f"{file} is {width} x {height} pixels and its bbox {left:g} {top:g} {right:g} {bottom:g} lies outside of "
            "it: photos and lists must be of one release."
        )


def _mask_of(mask: RunLengthMask, file: AnyPath) -> np.ndarray:
    try:
        return mask.pixels()
    except ValueError as error:
        raise InputError(f"The photo {file} cannot be used, {error}; {ADVICE}.") from error


def _numbers(values: Any) -> np.ndarray:
    """An array of what a checkpoint holds; of objects where that is no array."""
    if isinstance(values, Tensor):
        return (values.double() if values.is_floating_point() else values).detach().numpy()
    try:
        return np.asarray(values)
    except ValueError:  # lists of different lengths
        return np.empty(0, object)


def _box_of(entry: dict[str, Any], first: int = 0) -> Box:
    """Four numbers, or a structure x1, y1, x2, y2; from 0, whatever the first pixel is called."""
    box = entry.get("bbox")
    numbers: Sequence[Any] = [box.get(name) for name in ("x1", "y1", "x2", "y2")] if isinstance(box, dict) else box  # type: ignore[assignment]
    try:
        values = np.array([np.asarray(each, np.float64).item() for each in np.asarray(numbers, object).reshape(-1)])
    except (TypeError, ValueError) as error:
        raise ValueError("its bbox is no four numbers") from error
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ValueError("its bbox is no four numbers")
    left, top, right, bottom = (float(edge) - first for edge in values)
    if right < left or bottom < top:
        raise ValueError("its bbox ends before it begins")
    return left, top, right, bottom
