"""transforms.json of nerfstudio, instant-ngp and the synthetic NeRF scenes: read into cameras, written from them.

Poses there are camera-to-world with OpenGL camera axes, usually in a world with Z up. Intrinsics are `fl_x`, `fl_y`,
`cx`, `cy`, `w`, `h`, for all frames or for one; the synthetic scenes have only `camera_angle_x`. Pixel centres are at
+0.5, as here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from ..errors import InputError
from .camera import Camera
from .conventions import from_opengl, to_opengl, y_up_from_z_up, z_up_from_y_up
from .transforms_lens import number_of, refuse_other_lenses

ROTATION_TOLERANCE = 1e-3


def cameras_from_transforms(
    content: Mapping[str, Any],
    *,
    image_size: tuple[int, int] | None = None,
    world_up: Literal["y", "z"] = "z",
    dtype: torch.dtype = torch.float32,
) -> list[tuple[str, Camera]]:
    """(file path, camera) of every frame of a transforms.json.

    Args:
        content: the parsed file.
        image_size: (width, height) in pixels where the file does not say (the synthetic NeRF scenes).
        world_up: the axis that points up in the file's world; cameras come out in a world with Y up.
        dtype: of the cameras.

    Raises:
        InputError: a field is missing or unusable, or images are distorted; the message names field and frame.
    """
    frames = content.get("frames") if isinstance(content, Mapping) else None
    if not isinstance(frames, Sequence) or isinstance(frames, str) or not frames:
        raise InputError("transforms.json: the field frames is missing or empty; it must list the images.")
    cameras = []
    for index, frame in enumerate(frames):
        if not isinstance(frame, Mapping):
            raise InputError(f"transforms.json: frames[{index}] is not an object with named fields.")
        # A null field is one that its writer left out; what a frame says goes before what the file says.
        own, shared = ({name: value for name, value in one.items() if value is not None} for one in (frame, content))
        merged = {**shared, **own}
        refuse_other_lenses(merged, index)
        width, height = _image_size(merged, image_size, index)
        pose = from_opengl(torch.from_numpy(_pose(own, index)))[None]
        pose = y_up_from_z_up(pose) if world_up == "z" else pose
        intrinsics = torch.from_numpy(_intrinsics(own, shared, width, height, index))[None]
        cameras.append((_name(own, index), Camera(pose.to(dtype), intrinsics.to(dtype), width, height)))
    return cameras


def transforms_from_cameras(
    cameras: Sequence[tuple[str, Camera]], *, world_up: Literal["y", "z"] = "z"
) -> dict[str, Any]:
    """The content of a transforms.json for named pinhole cameras of one each.

    Raises:
        InputError: a camera is orthographic, or a batch of several.
    """
    frames = []
    for name, camera in cameras:
        if len(camera) != 1:
            raise InputError(f"transforms.json: {name} has {len(camera)} cameras; each frame holds one.")
        if camera.model != "pinhole":
            raise InputError(f"transforms.json: {name} is an orthographic camera, which the format cannot hold.")
        pose = z_up_from_y_up(camera.world_from_camera) if world_up == "z" else camera.world_from_camera
        matrix = camera.intrinsics[0].detach().cpu().tolist()
        frames.append(
            {
                "file_path": name,
                "fl_x": matrix[0][0],
                "fl_y": matrix[1][1],
                "cx": matrix[0][2],
                "cy": matrix[1][2],
                "w": camera.width,
                "h": camera.height,
                "transform_matrix": to_opengl(pose)[0].detach().cpu().tolist(),
            }
        )
    return {"camera_model": "OPENCV", "frames": frames}


def _name(frame: Mapping[str, Any], index: int) -> str:
    name = frame.get("file_path", "")
    if not isinstance(name, str):
        raise InputError(f"transforms.json: file_path of frames[{index}] is {name!r}; it must be the name of a photo.")
    return name


def _image_size(frame: Mapping[str, Any], image_size: tuple[int, int] | None, index: int) -> tuple[int, int]:
    if image_size is not None and "w" not in frame and "h" not in frame:
        return image_size
    width, height = number_of(frame, "w", index), number_of(frame, "h", index)
    if width < 1 or height < 1 or width % 1 or height % 1:
        raise InputError(f"transforms.json: frames[{index}] has size w = {width}, h = {height}; give whole pixels.")
    return int(width), int(height)


def _intrinsics(
    frame: Mapping[str, Any], file: Mapping[str, Any], width: int, height: int, index: int
) -> Float[np.ndarray, "3 3"]:
    focal_x, focal_y = (
        next((found for one in (frame, file) if (found := _focal(one, axis, extent, index)) is not None), None)
        for axis, extent in (("x", width), ("y", height))
    )
    if focal_x is None and focal_y is None:
        raise InputError(f"transforms.json: frames[{index}] has neither fl_x nor camera_angle_x; add one of them.")
    focal_x, focal_y = focal_x or focal_y, focal_y or focal_x
    assert focal_x is not None and focal_y is not None
    merged = {**file, **frame}
    cx, cy = number_of(merged, "cx", index, default=width / 2), number_of(merged, "cy", index, default=height / 2)
    return np.array([[focal_x, 0.0, cx], [0.0, focal_y, cy], [0.0, 0.0, 1.0]])


def _focal(one: Mapping[str, Any], axis: str, extent: int, index: int) -> float | None:
    """Focal length along an axis in pixels, from the fields of a frame or of the file; None where neither has it."""
    length, angle, degrees = f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov"
    if length in one:
        focal = number_of(one, length, index)
        if focal <= 0:
            raise InputError(f"transforms.json: {length} of frames[{index}] is {focal}; give a positive focal length.")
        return focal
    name = next((name for name in (angle, degrees) if name in one), None)
    if name is None:
        return None
    value = number_of(one, name, index)
    radians = math.radians(value) if name == degrees else value
    if not 0.0 < radians < math.pi:
        limit = "0..180 degrees" if name == degrees else "0..pi radians"
        raise InputError(f"transforms.json: {name} of frames[{index}] is {value}; it must lie in {limit}.")
    return 0.5 * extent / math.tan(0.5 * radians)


def _pose(frame: Mapping[str, Any], index: int) -> Float[np.ndarray, "4 4"]:
    name = f"transform_matrix of frames[{index}]"
    moving = [frame[field] for field in ("transform_matrix_start", "transform_matrix_end") if field in frame]
    if len(moving) == 2 and moving[0] != moving[1]:
        raise InputError(
            f"transforms.json: frames[{index}] moves from transform_matrix_start to transform_matrix_end; only still "
            "cameras can be read."
        )
    try:
        pose = np.array(frame["transform_matrix"] if not moving else moving[0], dtype=np.float64)
    except KeyError:
        raise InputError(f"transforms.json: {name} is missing; add it.") from None
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"transforms.json: {name} is not a 4 x 4 matrix of numbers.") from None
    if pose.shape == (3, 4):
        pose = np.vstack((pose, (0.0, 0.0, 0.0, 1.0)))
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise InputError(f"transforms.json: {name} is not a 4 x 4 matrix of finite numbers.")
    rotation = pose[:3, :3]
    if np.abs(rotation).max() > 1 + ROTATION_TOLERANCE or (
        np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0
    ):
        raise InputError(f"transforms.json: {name} is not rigid; its left 3 x 3 block must be a rotation.")
    return pose
