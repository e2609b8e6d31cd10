"""Captures that COLMAP has solved: sparse/0 (text or binary) beside images/."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..camera import Camera
from ..camera.colmap import cameras_from_colmap
from ..camera.colmap_binary import cameras_from_colmap_binary, points_from_colmap_binary, points_from_colmap_text
from ..errors import InputError
from .capture import Capture, CaptureView, find_image, image_size

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
    files = {name: folder / f"{name}{kind}" for name in ("cameras", "images", "points3D")}
    if kind == ".bin":
        named = cameras_from_colmap_binary(files["cameras"].read_bytes(), files["images"].read_bytes())
        points = points_from_colmap_binary(files["points3D"].read_bytes()) if files["points3D"].is_file() else None
    else:
        named = cameras_from_colmap(_text(files["cameras"]), _text(files["images"]))
        points = points_from_colmap_text(_text(files["points3D"])) if files["points3D"].is_file() else None
    turn = _upright(named) if upright else torch.eye(3)
    photos = path / "images" if (path / "images").is_dir() else path
    views = []
    for name, camera in sorted(named, key=lambda pair: pair[0]):
        image = find_image(photos, name)
        pose = camera.world_from_camera.clone()
        pose[:, :3] = turn @ pose[:, :3]
        camera = Camera(pose, camera.intrinsics, camera.width, camera.height)
        size = image_size(image)
        views.append(
            CaptureView(
                name, image, "train", camera if size == (camera.width, camera.height) else camera.resized(*size)
            )
        )
    return Capture(path, "colmap", tuple(views), points=None if points is None or not len(points) else points @ turn.T)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as text.") from error


def _upright(named: list[tuple[str, Camera]]) -> Tensor:
    """The smallest turn that takes the mean upward direction of the photos to +y."""
    if not named:
        return torch.eye(3)
    upward = torch.nn.functional.normalize(-sum(c.world_from_camera[0, :3, 1] for _, c in named), dim=0)  # type: ignore[arg-type]
    target = torch.tensor([0.0, 1.0, 0.0])
    axis, cosine = torch.linalg.cross(upward, target), float(upward @ target)
    if cosine < -0.9999:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    x, y, z = axis.tolist()
    cross = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return torch.eye(3) + cross + cross @ cross / (1.0 + cosine)
