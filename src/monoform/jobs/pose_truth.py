"""The true camera of a photo, and cameras of stored pixels for a photo that was turned upright."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..camera import Camera, upright_camera
from ..data import CaptureView, open_capture
from ..data.captures.transforms import cameras_of_file
from ..errors import InputError
from ..inputs import picture_orientation, picture_size, read_json
from ..inputs.photo_names import NameTable
from ..scene import Photo


def truth_of(file: Path, photo: str) -> Camera:
    """The true camera of a photo's upright pixels.

    Args:
        file: a camera.json; or a transforms.json, or the folder of a capture, that names the photo. Its cameras are in
            the world in which `open_capture` has them, for the pixels as they are stored.
        photo: its path; of a copy elsewhere, as many of its last folders count as tell it from others.

    Raises:
        InputError: the file cannot be read, does not name the photo, or names several that it can be.
    """
    if file.is_dir():
        views = open_capture(file).views
        named = [(view.name, view.camera) for view in views]
        return _upright(_found(named, file, file, photo), photo)
    if "frames" not in read_json(file):
        return for_upright(Camera.from_dict(read_json(file)), photo)
    size = picture_size(photo) if Path(photo).is_file() else None
    return _upright(_found(cameras_of_file(file, size), file, file.parent, photo), photo)


def upright_view(view: CaptureView) -> CaptureView:
    """A scene's photo with the camera of its upright pixels, which is how photos are opened."""
    return replace(view, camera=_upright(view.camera, str(view.image)))


def for_upright(camera: Camera, photo: Photo | str) -> Camera:
    """A camera for a photo's upright pixels, where its size shows that it is that of the stored ones."""
    if isinstance(photo, Photo):
        stored_as, size = photo.stored_as, (photo.width, photo.height)
    else:
        if not Path(photo).is_file():
            return camera
        stored_as, size = picture_orientation(photo), picture_size(photo, orientation="upright")
    width, height = size
    fits, turned = camera.width * height == camera.height * width, camera.width * width == camera.height * height
    return upright_camera(camera, stored_as) if turned and not fits and stored_as in (6, 8) else camera


def _upright(camera: Camera, photo: str) -> Camera:
    return upright_camera(camera, picture_orientation(photo), photo) if Path(photo).is_file() else camera


def _found(named: list[tuple[str, Camera]], file: Path, root: Path, photo: str) -> Camera:
    names = [name for name, _ in named]
    own = os.path.realpath(photo)
    same = [number for number, name in enumerate(names) if os.path.realpath(root / name) == own]
    found = same or NameTable(names).matching(os.path.abspath(photo), elsewhere=True)
    if not found:
        raise InputError(f"{file} has no frame named {Path(photo).name}: give the file that lists this photo.")
    if len({names[number] for number in found}) > 1:
        shown = " and ".join(names[number] for number in found[:2])
        raise InputError(f"{file} has several frames that can be {photo}, {shown}: give the photo in its own folder.")
    return named[found[0]][1]
