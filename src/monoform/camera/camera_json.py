"""camera.json: the fields of one camera as plain JSON, checked field by field on reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ..errors import InputError

AXES = "x right, y down, z forward"
WORLD = "y up, the mesh's frame"
# A pose that went through float32 and a few matrix products stays within this of a rotation.
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class CameraFields:
    """The checked content of a camera.json.

    Attributes:
        model: "pinhole" or "orthographic".
        world_from_camera: rigid pose.
        intrinsics: to pixels, as of `Camera`.
        width: of the image, in pixels.
        height: of the image, in pixels.
        covariance: of the pose; None where it is not known.
    """

    model: str
    world_from_camera: Float[np.ndarray, "4 4"]
    intrinsics: Float[np.ndarray, "3 3"]
    width: int
    height: int
    covariance: Float[np.ndarray, "6 6"] | None


def camera_to_json(
    *,
    model: str,
    world_from_camera: Sequence[Sequence[float]],
    intrinsics: Sequence[Sequence[float]],
    width: int,
    height: int,
    covariance: Sequence[Sequence[float]] | None = None,
) -> dict[str, Any]:
    """The content of camera.json, refusing what could not be read back."""
    content = {
        "model": model,
        "world_from_camera": world_from_camera,
        "intrinsics": intrinsics,
        "width": width,
        "height": height,
        "axes": AXES,
        "world": WORLD,
        "covariance": None if covariance is None else np.asarray(covariance, dtype=np.float64).tolist(),
    }
    camera_from_json(content)
    return content


def camera_from_json(content: Mapping[str, Any]) -> CameraFields:
    """Check every field of a camera.json.

    Raises:
        InputError: a field is missing, has the wrong type or shape, or is not finite; the message names it.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"camera.json holds a {type(content).__name__}; it must be an object with named fields.")
    model = _field(content, "model")
    if model not in ("pinhole", "orthographic"):
        raise InputError(f"camera.json: model is {model!r}; it must be 'pinhole' or 'orthographic'.")
    for name, expected in (("axes", AXES), ("world", WORLD)):
        if _field(content, name) != expected:
            raise InputError(f"camera.json: {name} is {content[name]!r}; only {expected!r} can be read, convert it.")
    covariance = content.get("covariance")
    return CameraFields(
        model=model,
        world_from_camera=_pose(content),
        intrinsics=_intrinsics(content),
        width=_size(content, "width"),
        height=_size(content, "height"),
        covariance=None if covariance is None else _matrix(content, "covariance", (6, 6)),
    )


def _field(content: Mapping[str, Any], name: str) -> Any:
    if name not in content:
        raise InputError(f"camera.json: the field {name} is missing; add it.")
    return content[name]


def _matrix(content: Mapping[str, Any], name: str, shape: tuple[int, int]) -> Float[np.ndarray, "rows columns"]:
    value = _field(content, name)
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"camera.json: {name} is not a {shape[0]} x {shape[1]} matrix of numbers.") from None
    if matrix.shape != shape:
        raise InputError(f"camera.json: {name} has shape {matrix.shape}; it must be {shape[0]} x {shape[1]}.")
    if not np.isfinite(matrix).all():
        raise InputError(f"camera.json: {name} holds NaN or infinity; every entry must be a finite number.")
    return matrix


def _pose(content: Mapping[str, Any]) -> Float[np.ndarray, "4 4"]:
    pose = _matrix(content, "world_from_camera", (4, 4))
    rotation = pose[:3, :3]
    # Compare entries before multiplying them: huge ones would overflow.
    bounded = np.abs(rotation).max() <= 1 + ROTATION_TOLERANCE
    if not bounded or np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise InputError("camera.json: world_from_camera is not rigid; its left 3 x 3 block must be a rotation.")
    if np.linalg.det(rotation) < 0:
        raise InputError("camera.json: world_from_camera mirrors; its left 3 x 3 block must have determinant +1.")
    if np.abs(pose[3] - (0, 0, 0, 1)).max() > ROTATION_TOLERANCE:
        raise InputError(f"camera.json: world_from_camera ends with {pose[3].tolist()}; its last row is 0 0 0 1.")
    return pose


def _intrinsics(content: Mapping[str, Any]) -> Float[np.ndarray, "3 3"]:
    matrix = _matrix(content, "intrinsics", (3, 3))
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise InputError(
            f"camera.json: intrinsics has focal lengths {matrix[0, 0]:g}, {matrix[1, 1]:g}; both must be positive."
        )
    if matrix[1, 0] != 0 or np.abs(matrix[2] - (0, 0, 1)).max() > 0:
        raise InputError("camera.json: intrinsics is not upper triangular with last row 0 0 1.")
    return matrix


def _size(content: Mapping[str, Any], name: str) -> int:
    value = _field(content, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 1 or value % 1:
        raise InputError(f"camera.json: {name} is {value!r}; it must be a whole number of pixels, at least 1.")
    return int(value)
