"""Captures whose cameras are in transforms.json: nerfstudio, instant-ngp, the synthetic NeRF scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..camera import Camera, cameras_from_transforms
from ..errors import InputError
from ..inputs import read_arrays
from .capture import Capture, CaptureSplit, CaptureView, find_image, image_size, read_json

SPLITS: tuple[CaptureSplit, ...] = ("train", "val", "test")
LISTS = {"train": "train_filenames", "val": "val_filenames", "test": "test_filenames"}
POINTS = "sparse_points.npz"


def open_transforms(path: Path, up: Literal["auto", "y", "z"]) -> Capture:
    """One transforms.json: a frame's "split", or nerfstudio's lists of file names, tell what each photo is for."""
    file = path if path.suffix == ".json" else path / "transforms.json"
    content, root = read_json(file), file.parent
    upward = upward_axis(content) if up == "auto" else up
    views = _views(content, root, "train", upward)
    return Capture(root, "transforms", tuple(views), points=_points(root, upward))


def open_blender(path: Path, up: Literal["auto", "y", "z"]) -> Capture:
    """transforms_train.json, and _val and _test where they are there."""
    views: list[CaptureView] = []
    for split in SPLITS:
        file = path / f"transforms_{split}.json"
        if file.is_file():
            content = read_json(file)
            views += _views(content, path, split, upward_axis(content) if up == "auto" else up)
    return Capture(path, "blender", tuple(views))


def upward_axis(content: Mapping[str, Any]) -> Literal["y", "z"]:
    """The axis of the file's world along which the upper edges of its photos point, on average."""
    try:
        mean = np.mean(
            [np.asarray(frame["transform_matrix"], np.float64)[:3, 1] for frame in content["frames"]], axis=0
        )
        return "y" if float(mean[1]) > float(mean[2]) else "z"
    except (KeyError, TypeError, ValueError, IndexError):
        return "z"  # the reader of the frames says what is wrong with them


def _views(content: dict[str, Any], root: Path, split: CaptureSplit, up: Literal["y", "z"]) -> list[CaptureView]:
    frames = content.get("frames")
    frames = [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []
    size = None
    if frames and "w" not in content and "w" not in frames[0]:
        size = image_size(find_image(root, str(frames[0].get("file_path", ""))))
    cameras = cameras_from_transforms(content, image_size=size, world_up=up)
    listed = {str(name): kind for kind, key in LISTS.items() for name in content.get(key, [])}
    views = []
    for frame, (name, camera) in zip(frames, cameras, strict=True):
        given = frame.get("split", listed.get(name, split))
        if given not in SPLITS:
            raise InputError(f"{root}: {name} has the split {given!r}; choose one of {', '.join(SPLITS)}.")
        image = find_image(root, name)
        views.append(CaptureView(name, image, given, _of_file(camera, image, "w" in content or "w" in frame)))
    return views


def _of_file(camera: Camera, image: Path, told: bool) -> Camera:
    """Frames of files that tell no size may have different ones."""
    return camera if told or image_size(image) == (camera.width, camera.height) else camera.resized(*image_size(image))


def _points(root: Path, up: Literal["y", "z"]) -> Float[Tensor, "n 3"] | None:
    """Surface points beside the cameras: `xyz` of sparse_points.npz, in the same world."""
    file = root / POINTS
    if not file.is_file():
        return None
    wrong = InputError(f"{file} has no array xyz of shape (n, 3); remove it or write it again.")
    try:
        found = read_arrays(file).get("xyz")
    except InputError as error:
        raise wrong from error
    if found is None or found.dtype.kind not in "iuf" or found.ndim != 2 or found.shape[1] != 3:
        raise wrong
    points = torch.from_numpy(found.astype(np.float32))
    points = points[torch.isfinite(points).all(dim=1)]
    return points if up == "y" else torch.stack((points[:, 0], points[:, 2], -points[:, 1]), dim=1)
