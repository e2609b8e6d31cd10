"""The birds of CUB-200-2011 as CMR annotates them: masks, boxes, orthographic cameras from structure from motion.

A camera belongs to the square that is shown: it moves with the crop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...inputs import read_pixels, read_text
from ...inputs.mat_files import read_structures
from ...inputs.remote import AnyPath, any_path
from .detections import ADVICE, Detection, annotated, path_of, require_fitting
from .kinds import Category, Split
from .photos import CategoryPhotos, Poses, inside
from .squares import Square, grown, masked_square, square_around, whole

CROOKED = 0.02  # of what a rotation times its transpose is, beside 1
KNOWN = {str(number) for number in range(1, 10_001)}
DEPTH = 10.0  # of the world's origin before the camera's plane, in half widths of the picture


class BirdPhotos(CategoryPhotos):
    """Reader of one split.

    Args:
        data: the folder that holds `cub`; a path or an address that fsspec knows.

    Raises:
        InputError: a file is missing, damaged, or does not fit the others.
    """

    def __init__(self, data: str | AnyPath, category: Category, split: Split = "train", **options: Any) -> None:
        super().__init__(category, split, **options)
        if split == "imagenet-test":
            raise InputError(f"The split imagenet-test is of p3d_car; {category.name} has none.")
        self.root = any_path(data) / "cub"
        part = "test" if split == "test" else "train"
        file = self.root / "data" / f"{part}_cub_cleaned.mat"
        missing = "it lists the photos with their boxes and masks"
        self.detections = [
            annotated(entry, path_of(entry, file), file)
            for entry in read_structures(file, "images", advice=ADVICE, missing=missing)
        ]
        if not self.detections:
            raise InputError(f"{file} holds no photo: {ADVICE}.")
        self.names = [f"CUB_200_2011/images/{detection.path}" for detection in self.detections]
        self.poses = self._read_poses(self.root / "sfm" / f"anno_{part}.mat")
        labels = _labels(self.root / "CUB_200_2011", [detection.path for detection in self.detections])
        self.labels = torch.tensor(labels).repeat(2 if self.has_mirrored else 1)

    def _square(self, detection: Detection) -> Square:
        box = grown(detection.box, self.margin) if self.crop else whole(detection.mask.width, detection.mask.height)
        return square_around(box)

    def _read_poses(self, file: AnyPath) -> Poses:
        """scale and trans in pixels of the photo, rot from world to camera; brought to squares of units -1..1."""
        scales, shifts, rotations = [], [], []
        entries = list(read_structures(file, "sfm_anno", advice=ADVICE, missing="it holds the cameras of the photos"))
        if len(entries) != len(self.detections):
            raise InputError(f"{file} has {len(entries)} cameras for {len(self.detections)} photos; give one for each.")
        for number, (entry, detection) in enumerate(zip(entries, self.detections, strict=True)):
            scale, shift, rotation = (_numbers(entry, *each) for each in (("scale", 1), ("trans", 2), ("rot", 9)))
            if scale is None or shift is None or rotation is None or scale[0] <= 0:
                raise InputError(f"{file}: camera {number} has no scale, trans and rot of finite numbers; {ADVICE}.")
            matrix = rotation.reshape(3, 3, order="F")
            if np.abs(matrix @ matrix.T - np.eye(3)).max() > CROOKED or np.linalg.det(matrix) < 0:
                raise InputError(f"{file}: rot of camera {number} is no rotation; {ADVICE}.")
            left, top, side = self._square(detection)
            scales.append(scale[0] * 2 / side)
            shifts.append([2 * (shift[0] - left) / side - 1, 2 * (shift[1] - top) / side - 1])
            rotations.append(matrix)
        return _orthographic(np.array(scales), np.array(shifts), np.stack(rotations), self.has_mirrored).checked(file)

    def _picture(self, place: int, size: int, mirrored: bool) -> Tensor:
        detection = self.detections[place]
        file = inside(self.root, self.names[place], self.root)
        rgb, mask = read_pixels(file, "RGB"), detection.mask.pixels()
        require_fitting(file, rgb, mask, detection.box)
        return masked_square(rgb, mask, self._square(detection), size, mirror=mirrored)


def _orthographic(scale: np.ndarray, shift: np.ndarray, rotation: np.ndarray, with_mirrored: bool) -> Poses:
    if with_mirrored:
        flip = np.diag([-1.0, 1.0, 1.0])
        scale, shift = np.concatenate((scale, scale)), np.concatenate((shift, shift * [-1, 1]))
        rotation = np.concatenate((rotation, flip @ rotation @ flip))
    world_from_camera = np.tile(np.eye(4), (len(scale), 1, 1))
    world_from_camera[:, :3, :3] = rotation.transpose(0, 2, 1)
    translation = np.concatenate((shift, np.full((len(shift), 1), DEPTH)), axis=1)
    world_from_camera[:, :3, 3] = -np.einsum("nji,nj->ni", rotation, translation) / scale[:, None]
    return Poses(torch.from_numpy(world_from_camera).float(), torch.from_numpy(scale).float(), orthographic=True)


def _numbers(entry: dict[str, Any], name: str, count: int) -> np.ndarray | None:
    values = entry.get(name)
    if not isinstance(values, np.ndarray) or values.size != count or values.dtype.kind not in "fiu":
        return None
    flat = values.astype(np.float64).reshape(-1, order="F")
    return flat if np.isfinite(flat).all() else None


def _labels(folder: AnyPath, paths: list[str]) -> list[int]:
    """Classes from 0 by the lists of the release, which number photos and count classes from 1."""
    named = dict(_pairs(folder / "images.txt"))
    classes = _pairs(folder / "image_class_labels.txt")
    found = {named[number]: label for number, label in classes if number in named}
    missing = next((path for path in paths if found.get(path, "") not in KNOWN), None)
    if missing is not None:
        raise InputError(
            f"{folder / 'image_class_labels.txt'} has no class from 1 on for {missing}; copy the release again."
        )
    return [int(found[path]) - 1 for path in paths]


def _pairs(file: AnyPath) -> list[tuple[str, str]]:
    lines = read_text(file, advice="it is a list of the release CUB_200_2011").splitlines()
    parts = [line.strip().partition(" ") for line in lines if line.strip()]
    return [(number, rest.strip()) for number, _, rest in parts]
