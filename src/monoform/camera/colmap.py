"""COLMAP text models (cameras.txt, images.txt): read into cameras, written from them.

COLMAP stores world-to-camera poses as a quaternion (w, x, y, z) and a translation, with our camera axes and our pixel
centres; its world is whatever the reconstruction chose, and is kept. Reference: COLMAP documentation, "Output Format"
and its list of camera models.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import InputError
from .camera import Camera
from .lie import quaternion_from_rotation, rotation_from_quaternion
from .rigid import rigid, rigid_inverse

# Of each model: how many numbers are focal lengths and principal point, and how many describe distortion.
PARAMETERS = {
    "SIMPLE_PINHOLE": (3, 0),
    "PINHOLE": (4, 0),
    "SIMPLE_RADIAL": (3, 1),
    "RADIAL": (3, 2),
    "OPENCV": (4, 4),
    "FULL_OPENCV": (4, 8),
    "FOV": (4, 1),
}


def camera_from_colmap(
    model: str,
    width: int,
    height: int,
    parameters: Sequence[float],
    qvec: Sequence[float],
    tvec: Sequence[float],
    *,
    dtype: torch.dtype = torch.float32,
) -> Camera:
    """One camera from COLMAP's numbers: `qvec` (w, x, y, z) and `tvec` map world to camera.

    Models with distortion are pinholes where all their coefficients are 0; fisheye models never are.

    Raises:
        InputError: another camera model, or a wrong number of values, or values that are not finite.
    """
    if model not in PARAMETERS:
        raise InputError(f"COLMAP camera model {model} is no pinhole; undistort the images to PINHOLE first.")
    pinhole, distortion = PARAMETERS[model]
    if len(parameters) != pinhole + distortion:
        raise InputError(f"COLMAP {model} has {pinhole + distortion} parameters, not {len(parameters)}.")
    if len(qvec) != 4 or len(tvec) != 3:
        raise InputError(f"COLMAP pose has {len(qvec)} and {len(tvec)} values; qvec has 4, tvec 3.")
    numbers = torch.tensor([*parameters, *qvec, *tvec], dtype=torch.float64)
    if not bool(torch.isfinite(numbers).all()) or min(parameters[: pinhole - 2]) <= 0 or not any(qvec):
        raise InputError("COLMAP camera has NaN, infinity, no positive focal length or a zero quaternion; check it.")
    if any(parameters[pinhole:]):
        shown = ", ".join(f"{value:g}" for value in parameters[pinhole:])
        raise InputError(
            f"COLMAP camera model {model} has lens distortion ({shown}); undistort the images to PINHOLE first."
        )
    focal_x, focal_y, cx, cy = (parameters[0], *parameters[:3]) if pinhole == 3 else parameters[:4]
    intrinsics = torch.tensor([[focal_x, 0, cx], [0, focal_y, cy], [0, 0, 1]], dtype=torch.float64)
    rotation = rotation_from_quaternion(torch.tensor([*qvec], dtype=torch.float64))
    pose = rigid_inverse(rigid(rotation, torch.tensor([*tvec], dtype=torch.float64)))
    return Camera(pose[None].to(dtype), intrinsics[None].to(dtype), width, height)


def cameras_from_colmap(
    cameras_txt: str, images_txt: str, *, dtype: torch.dtype = torch.float32
) -> list[tuple[str, Camera]]:
    """(image name, camera) of every image, from the contents of cameras.txt and images.txt.

    Raises:
        InputError: a line cannot be read; the message shows it.
    """
    shared: dict[str, tuple[str, int, int, list[float]]] = {}
    for line in _lines(cameras_txt):
        words = line.split()
        try:
            shared[words[0]] = (words[1], int(words[2]), int(words[3]), [float(word) for word in words[4:]])
        except (IndexError, ValueError):
            raise InputError(f"COLMAP cameras.txt: the line {line!r} is not 'id model width height ...'.") from None
    cameras = []
    for line in _image_lines(images_txt):
        words = line.split(maxsplit=9)
        try:
            numbers = [float(word) for word in words[1:8]]
            model, width, height, parameters = shared[words[8]]
            name = words[9].strip()
        except (IndexError, ValueError, KeyError):
            raise InputError(
                f"COLMAP images.txt: the line {line[:200]!r} is not 'id qw qx qy qz tx ty tz camera name'."
            ) from None
        camera = camera_from_colmap(model, width, height, parameters, numbers[:4], numbers[4:], dtype=dtype)
        cameras.append((name, camera))
    return cameras


def _image_lines(images_txt: str) -> list[str]:
    """The first line of each image, whether or not the second, with its feature points, is there."""
    found, after_image = [], False
    for line in _rows(images_txt):
        if line.lstrip().startswith("#"):
            continue
        if after_image and _is_features(line):
            after_image = False
        elif line.strip():
            found.append(line)
            after_image = True
    return found


def _is_features(line: str) -> bool:
    """Feature points: none, or three numbers each; the line of an image ends with the name of a file."""
    words = line.split()
    try:
        return len(words) % 3 == 0 and all(float(word) is not None for word in words)
    except ValueError:
        return False


def colmap_from_cameras(cameras: Sequence[tuple[str, Camera]]) -> tuple[str, str]:
    """The contents of cameras.txt and images.txt for named pinhole cameras of one each.

    Raises:
        InputError: a camera is orthographic, skewed, or a batch of several.
    """
    camera_lines, image_lines = ["# CAMERA_ID MODEL WIDTH HEIGHT FX FY CX CY"], ["# IMAGE_ID QVEC TVEC CAMERA_ID NAME"]
    for number, (name, camera) in enumerate(cameras, start=1):
        if len(camera) != 1 or camera.model != "pinhole" or float(camera.intrinsics[0, 0, 1]) != 0.0:
            raise InputError(f"COLMAP: {name} is not one pinhole camera without skew; the format cannot hold it.")
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics[0].detach().cpu().double().tolist()
        motion = camera.camera_from_world[0].detach().cpu().double()
        pose = [*quaternion_from_rotation(motion[:3, :3]).tolist(), *motion[:3, 3].tolist()]
        intrinsics = " ".join(map(repr, (fx, fy, cx, cy)))
        camera_lines.append(f"{number} PINHOLE {camera.width} {camera.height} {intrinsics}")
        image_lines += [f"{number} {' '.join(map(repr, pose))} {number} {name}", ""]
    return "\n".join(camera_lines) + "\n", "\n".join(image_lines) + "\n"


def _lines(text: str) -> list[str]:
    return [line for line in _rows(text) if line.strip() and not line.lstrip().startswith("#")]


def _rows(text: str) -> list[str]:
    """Lines as COLMAP writes them: names may hold what Python takes for the end of a line."""
    return [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
