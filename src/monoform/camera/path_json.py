"""Camera paths: the cameras of a film, each as camera.json says it, in one JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .camera import Camera

MOST, LARGEST = 10_000, 4096  # cameras; pixels along a side


@dataclass(frozen=True, eq=False)
class CameraPath:
    """The way of a camera.

    Attributes:
        cameras: one for each frame.
        fps: frames in a second; None: whatever films it decides.
    """

    cameras: Camera
    fps: float | None = None


def path_to_json(cameras: Camera, fps: float | None = None) -> dict[str, Any]:
    """The content of a path's file: `cameras`, a list of what camera.json holds, and `fps` where it is said."""
    content: dict[str, Any] = {} if fps is None else {"fps": fps}
    return content | {"cameras": [camera.to_dict() for camera in cameras]}


def path_from_json(content: Mapping[str, Any]) -> CameraPath:
    """The cameras of a path's file.

    Raises:
        InputError: a field is missing or unusable, or the cameras differ in size or model; the message names it.
    """
    listed = content.get("cameras")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
        raise InputError(f"cameras must be a list of 1 to {MOST:,} cameras, each as in camera.json.")
    cameras = []
    for number, record in enumerate(listed):
        if not isinstance(record, dict):
            raise InputError(f"cameras[{number}] is no object with named fields, as in camera.json.")
        try:
            cameras.append(Camera.from_dict(record))
        except InputError as error:
            raise InputError(f"cameras[{number}]: {error}") from error
    first = cameras[0]
    for number, camera in enumerate(cameras):
        if (camera.width, camera.height, camera.model) != (first.width, first.height, first.model):
            raise InputError(f"cameras[{number}] differs from cameras[0] in size or model; a film has one for all.")
    if max(first.width, first.height) > LARGEST:
        raise InputError(f"the cameras have {first.width} x {first.height} pixels; at most {LARGEST} a side.")
    fps = content.get("fps")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000):
        raise InputError(f"fps is {fps!r}; it must be a number of frames in a second, up to 1000.")
    return CameraPath(Camera.concatenate(cameras), None if fps is None else float(fps))
