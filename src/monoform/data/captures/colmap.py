"""Captures that COLMAP has solved: sparse/0 (text or binary) beside images/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, upward
from ...camera.colmap import cameras_from_colmap
from ...camera.colmap_binary import cameras_from_colmap_binary, points_from_colmap_binary, points_from_colmap_text
from ...errors import InputError
from ...inputs import picture_orientation, picture_size, read_bytes, read_text
from ...inputs.photo_names import find_photo, plain_name
from .capture import Capture, CaptureView
from .photos import camera_of_size, photo_folders

PLACES = ("sparse/0", "sparse", "colmap/sparse/0", ".")
KINDS = (".bin", ".txt")


def colmap_folder(path: Path) -> tuple[Path, str] | None:
    """Where cameras and images are, and whether in binary or text files."""
    for place in PLACES:
        for kind in KINDS:
            if all((path / place / f"{name}{kind}").is_file() for name in ("cameras", "images")):
                return path / place, kind
    return None


def open_colmap(path: Path, *, upright: bool = True) -> Capture:
    """Read a solved capture.

    Args:
        upright: turn the world so that the upper edges of the photos point along y on average.
    """
    found = colmap_folder(path)
    if found is None:
        raise InputError(f"{path} has no cameras and images files of COLMAP, in sparse/0 or beside the photos.")
    folder, kind = found
    named, points = _solution(folder, kind)
    named.sort(key=lambda pair: pair[0])
    photos = _photos(path, [name for name, _ in named])
    turn = upright_turn([c for _, c in named], [picture_orientation(photo) for photo in photos]) if upright else None
    turn = torch.eye(3) if turn is None else turn
    views = []
    for (name, camera), image in zip(named, photos, strict=True):
        pose = camera.world_from_camera.clone()
        pose[:, :3] = turn @ pose[:, :3]
        camera = Camera(pose, camera.intrinsics, camera.width, camera.height)
        views.append(CaptureView(plain_name(name), image, "train", camera_of_size(camera, picture_size(image), image)))
    return Capture(path, "colmap", tuple(views), points=None if points is None or not len(points) else points @ turn.T)


def _solution(folder: Path, kind: str) -> tuple[list[tuple[str, Camera]], Float[Tensor, "n 3"] | None]:
    """Names and cameras of the photos, and the points where there are some, from files that end in `kind`."""
    read: Callable[[Path], Any] = read_bytes if kind == ".bin" else read_text
    cameras, images = (read(folder / f"{name}{kind}") for name in ("cameras", "images"))
    file = folder / f"points3D{kind}"
    cloud = read(file) if file.is_file() else None
    cameras_of: Callable[..., Any] = cameras_from_colmap_binary if kind == ".bin" else cameras_from_colmap
    points_of: Callable[[Any], Any] = points_from_colmap_binary if kind == ".bin" else points_from_colmap_text
    try:
        return cameras_of(cameras, images), None if cloud is None else points_of(cloud)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error


def _photos(path: Path, names: list[str]) -> list[Path]:
    """The file of each photo, in the first folder that has them all; smaller copies may have another ending.

    Raises:
        InputError: no folder has them all; the sentence names the first that is missing in the likeliest.
    """
    first: InputError | None = None
    for folder in photo_folders(path):
        for other_ending in (False, True):
            try:
                return [find_photo(folder, name, other_ending=other_ending) for name in names]
            except InputError as error:
                first = first or error
    raise first or InputError(f"{path} has no photos.")


def upright_turn(cameras: list[Camera], orientations: list[int]) -> Float[Tensor, "3 3"]:
    """The smallest turn that takes the mean upward direction of the photos to +y.

    Args:
        orientations: of the photos by EXIF, which tells how they are seen upright.
    """
    if not cameras:
        return torch.eye(3)
    mean = sum(upward(camera, stored)[0] for camera, stored in zip(cameras, orientations, strict=True))
    upward_direction = torch.nn.functional.normalize(torch.as_tensor(mean), dim=0)
    target = torch.tensor([0.0, 1.0, 0.0])
    axis, cosine = torch.linalg.cross(upward_direction, target), float(upward_direction @ target)
    if cosine < -0.9999:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    x, y, z = axis.tolist()
    cross = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return torch.eye(3) + cross + cross @ cross / (1.0 + cosine)
