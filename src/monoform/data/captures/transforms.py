"""Captures whose cameras are in transforms.json: nerfstudio, instant-ngp, the synthetic NeRF scenes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, cameras_from_transforms, upward, y_up_from_z_up
from ...errors import InputError
from ...inputs import picture_orientation, picture_size, read_arrays, read_bytes, read_json
from ...inputs.photo_names import find_photo, plain_name
from .capture import Capture, CaptureView
from .splits import USES, Use, told_uses

Up = Literal["auto", "y", "z"]
POINTS = "sparse_points.npz"
TRANSPARENT = ("white_transparent", "black_transparent")  # of instant-ngp: a color of the photos stands for nothing
UP_AXIS = "up_axis"  # of the files that monoform writes


@dataclass(frozen=True, eq=False)
class TransformsFile:
    """A transforms.json.

    Attributes:
        file: it was read from.
        content: its fields.
        named: the plain name of each frame's photo and its camera, in the world of the file.
    """

    file: Path
    content: Mapping[str, Any]
    named: list[tuple[str, Camera]]

    @property
    def root(self) -> Path:
        """The folder that names of photos start from."""
        return self.file.parent


def read_transforms(file: Path, size: tuple[int, int] | None = None) -> TransformsFile:
    """The cameras of a transforms.json.

    Args:
        size: (width, height) in pixels of photos of which the file does not tell it; None to look at the photos.

    Raises:
        InputError: the file or a photo whose size is needed cannot be read; the sentence names the file.
    """
    content = read_json(file)
    frames = content.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise InputError(f"{file}: the field frames must list the photos, an object with named fields for each.")
    for name in TRANSPARENT:
        if content.get(name):
            raise InputError(f"{file}: {name} is not read; give photos with an alpha channel, or masks by mask_path.")
    sized = [_with_size(frame, content, file, size) for frame in frames]
    try:
        named = cameras_from_transforms({**content, "frames": sized}, world_up="y")
    except InputError as error:
        raise InputError(str(error).replace("transforms.json", str(file), 1)) from error
    return TransformsFile(file, content, [(_name_in(file.parent, name), camera) for name, camera in named])


def open_transforms(path: Path, up: Up) -> Capture:
    """One transforms.json: a frame's "split", or nerfstudio's lists of file names, tell what each photo is for."""
    read = read_transforms(path if path.suffix.lower() == ".json" else path / "transforms.json")
    axis = upward_axis([read, *_siblings(read)]) if up == "auto" else up
    uses = told_uses(read.content, [name for name, _ in read.named], read.file)
    views = _views(read, axis, uses or ["train"] * len(read.named))
    points = _points(read, axis)
    left_out = len(read.named) - len(views)
    return Capture(read.root, "transforms", views, points=points, split_told=uses is not None, left_out=left_out)


def open_blender(path: Path, up: Up) -> Capture:
    """transforms_train.json, and _val and _test where they are there, all in the same world."""
    files = {use: path / f"transforms_{use}.json" for use in USES}
    read: dict[Use, TransformsFile] = {use: read_transforms(file) for use, file in files.items() if file.is_file()}
    axis = upward_axis(read.values()) if up == "auto" else up
    views = [view for use, one in read.items() for view in _views(one, axis, [use] * len(one.named))]
    return Capture(path, "blender", tuple(views))


def cameras_of_file(file: Path, size: tuple[int, int] | None, up: Up = "auto") -> list[tuple[str, Camera]]:
    """(photo's name, camera) of every frame, in the world in which `open_capture` has them; photos need not be there.

    Args:
        size: (width, height) in pixels of the photos, where the file does not tell it.

    Raises:
        InputError: the file cannot be read.
    """
    read = read_transforms(file, size)
    axis = upward_axis([read, *_siblings(read)]) if up == "auto" else up
    return [(name, _in_world(camera, axis)) for name, camera in read.named]


def upward_axis(files: Iterable[TransformsFile]) -> Literal["y", "z"]:
    """The axis of the files' world along which the upper edges of all their photos point, on average.

    Photos that were held otherwise are seen upright by their EXIF.
    """
    mean = torch.zeros(3, dtype=torch.float64)
    for one in files:
        stored_up = one.content.get(UP_AXIS)
        if stored_up in ("y", "z"):
            return stored_up
        mean += sum(upward(camera, _orientation(one.root, name))[0].double() for name, camera in one.named)
    return "y" if float(mean[1]) > float(mean[2]) else "z"


def _siblings(read: TransformsFile) -> list[TransformsFile]:
    """The other splits of the layout of the synthetic scenes, whose world is the same."""
    others = [read.root / f"transforms_{use}.json" for use in USES]
    if read.file.name not in [other.name for other in others]:
        return []
    return [read_transforms(other) for other in others if other.name != read.file.name and other.is_file()]


def _orientation(root: Path, name: str) -> int:
    try:
        return picture_orientation(find_photo(root, name))
    except InputError:
        return 1  # the reader of the photos says what is wrong with them


def _name_in(root: Path, name: str) -> str:
    """The plain name of a photo, without the capture's own folder where it is told in full."""
    plain, own = plain_name(name), plain_name(str(root.resolve()))
    return plain.removeprefix(f"{own}/")


def _with_size(
    frame: dict[str, Any], content: Mapping[str, Any], file: Path, size: tuple[int, int] | None
) -> dict[str, Any]:
    """The frame with a size: its own, the file's, else that of its photo."""
    if any(one.get(name) is not None for one in (frame, content) for name in ("w", "h")):
        return frame
    name = frame.get("file_path")
    if size is None and isinstance(name, str) and name:
        size = picture_size(find_photo(file.parent, name))
    return frame if size is None else {**frame, "w": size[0], "h": size[1]}


def _views(read: TransformsFile, axis: Literal["y", "z"], uses: list[Any]) -> tuple[CaptureView, ...]:
    views = []
    for number, (frame, (name, camera), use) in enumerate(zip(read.content["frames"], read.named, uses, strict=True)):
        if name == ".":
            raise InputError(f"{read.file}: frames[{number}] has no file_path; give the name of its photo.")
        if use is None:
            continue
        mask = _mask(frame.get("mask_path"), number, read)
        photo = find_photo(read.root, name)
        moving = photo.with_name(f"dynamic_mask_{photo.stem}.png")
        marks = moving if moving.is_file() else None
        views.append(CaptureView(name, photo, use, _in_world(camera, axis), mask, marks))
    return tuple(views)


def _mask(name: object, number: int, read: TransformsFile) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise InputError(f"{read.file}: mask_path of frames[{number}] must be the name of a mask, or be left out.")
    try:
        return find_photo(read.root, name)
    except InputError as error:
        raise InputError(f"{read.file}: there is no mask {read.root / plain_name(name)}.") from error


def _in_world(camera: Camera, axis: Literal["y", "z"]) -> Camera:
    return camera if axis == "y" else replace(camera, world_from_camera=y_up_from_z_up(camera.world_from_camera))


def _points(read: TransformsFile, up: Literal["y", "z"]) -> Float[Tensor, "n 3"] | None:
    """Surface points in the world of the cameras: `xyz` of sparse_points.npz, else the PLY that the file names."""
    file, named = read.root / POINTS, read.content.get("ply_file_path")
    if file.is_file():
        points = _npz_points(file)
    elif isinstance(named, str) and named and (read.root / plain_name(named)).is_file():
        points = _ply_points(read.root / plain_name(named))
    else:
        return None
    return points if up == "y" else torch.stack((points[:, 0], points[:, 2], -points[:, 1]), dim=1)


def _npz_points(file: Path) -> Float[Tensor, "n 3"]:
    try:
        return _finite_points(read_arrays(file).get("xyz"), file)
    except InputError as error:
        raise InputError(f"{file} has no array xyz of shape (n, 3); remove it or write it again.") from error


def _ply_points(file: Path) -> Float[Tensor, "n 3"]:
    import trimesh

    try:
        found = trimesh.load(io.BytesIO(read_bytes(file)), file_type="ply")
        return _finite_points(np.asarray(getattr(found, "vertices", None)), file)
    except InputError:
        raise
    except Exception as error:  # trimesh's reader raises anything at all on damaged bytes
        raise InputError(f"{file} cannot be read as points; remove it or write it again.") from error


def _finite_points(found: np.ndarray | None, file: Path) -> Float[Tensor, "n 3"]:
    if found is None or found.ndim != 2 or found.shape[1] != 3 or found.dtype.kind not in "fiu":
        raise InputError(f"{file} holds no points; remove it or write it again.")
    points = torch.from_numpy(found.astype(np.float32))
    return points[torch.isfinite(points).all(dim=1)]
