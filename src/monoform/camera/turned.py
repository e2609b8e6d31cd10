"""Cameras of pictures that are turned by EXIF: solvers for cameras use the pixels as stored, people see them upright.

EXIF says where the stored first row and first column are seen: 1 top left, 3 a half turn, 6 and 8 quarter turns; 2, 4,
5 and 7 are mirrored, which no camera sees.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .camera import Camera

_TURNS = {1: ((1, 0), (0, 1)), 3: ((-1, 0), (0, -1)), 6: ((0, -1), (1, 0)), 8: ((0, 1), (-1, 0))}
_BACK = {6: 8, 8: 6}
# Of the stored picture's axes, the direction that is up when it is seen upright: (along x, along y).
_UP = {1: (0, -1), 2: (0, -1), 3: (0, 1), 4: (0, 1), 5: (-1, 0), 6: (-1, 0), 7: (1, 0), 8: (1, 0)}


def upright_camera(camera: Camera, orientation: int, name: str = "The photo") -> Camera:
    """The camera of the upright picture, from that of the stored pixels.

    Args:
        orientation: of the stored pixels by EXIF, 1..8.
        name: of the photo, for the sentence.

    Raises:
        InputError: the pixels are stored mirrored.
    """
    if orientation not in _TURNS:
        raise InputError(
            f"{name} is stored mirrored (EXIF orientation {orientation}), which no camera sees: save it again upright."
        )
    (xx, xy), (yx, yy) = _TURNS[orientation]
    width, height = (camera.height, camera.width) if xy else (camera.width, camera.height)
    turn = torch.tensor([[xx, xy, 0], [yx, yy, 0], [0, 0, 1]]).to(camera.intrinsics)
    # Pixels move with the axes; what becomes negative starts from the other edge.
    pixels = turn.clone()
    pixels[0, 2] = width if xx + xy < 0 else 0
    pixels[1, 2] = height if yx + yy < 0 else 0
    pose = camera.world_from_camera.clone()
    pose[..., :3, :3] = pose[..., :3, :3] @ turn.T.to(pose)
    return Camera(pose, pixels @ camera.intrinsics @ turn.T, width, height, camera.model)


def stored_camera(camera: Camera, orientation: int, name: str = "The photo") -> Camera:
    """The camera of the stored pixels, from that of the upright picture; otherwise as `upright_camera`."""
    return upright_camera(camera, _BACK.get(orientation, orientation), name)


def upward(camera: Camera, orientation: int = 1) -> Float[Tensor, "b 3"]:
    """The direction in the world along which the upper edge of the upright picture points."""
    x, y = _UP[orientation]
    return camera.world_from_camera[:, :3, 0] * x + camera.world_from_camera[:, :3, 1] * y
