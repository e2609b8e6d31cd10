"""COLMAP binary models (cameras.bin, images.bin, points3D.bin), and the points of text ones.

Little-endian; reference: COLMAP documentation, "Output Format", and its model ids.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .camera import Camera
from .colmap import camera_from_colmap

MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
}
POINT = 8 * 3  # bytes of a feature point: x, y, number of its 3D point


@dataclass
class _Reader:
    """Numbers of a file, one after the other."""

    data: bytes
    name: str
    place: int = 0

    def read(self, layout: str) -> tuple:
        size = struct.calcsize("<" + layout)
        if self.place + size > len(self.data):
            raise InputError(f"COLMAP {self.name} ends in the middle of a record; write it again.")
        values = struct.unpack_from("<" + layout, self.data, self.place)
        self.place += size
        return values

    def word(self) -> str:
        end = self.data.find(b"\0", self.place)
        if end < 0:
            raise InputError(f"COLMAP {self.name} ends in the middle of a name; write it again.")
        word = self.data[self.place : end].decode("utf-8", errors="replace")
        self.place = end + 1
        return word

    def skip(self, size: int) -> None:
        if size < 0 or self.place + size > len(self.data):
            raise InputError(f"COLMAP {self.name} ends in the middle of a record; write it again.")
        self.place += size


def cameras_from_colmap_binary(
    cameras_bin: bytes, images_bin: bytes, *, dtype: torch.dtype = torch.float32
) -> list[tuple[str, Camera]]:
    """(image name, camera) of every image, from the contents of cameras.bin and images.bin.

    Raises:
        InputError: a file is truncated, a camera model is unknown or has lens distortion.
    """
    reader = _Reader(cameras_bin, "cameras.bin")
    shared: dict[int, tuple[str, int, int, tuple[float, ...]]] = {}
    for _ in range(reader.read("Q")[0]):
        number, model, width, height = reader.read("iiQQ")
        if model not in MODELS:
            raise InputError(f"COLMAP cameras.bin has a camera of model number {model}, which is not known.")
        name, count = MODELS[model]
        shared[number] = (name, width, height, reader.read(f"{count}d"))
    reader, cameras = _Reader(images_bin, "images.bin"), []
    for _ in range(reader.read("Q")[0]):
        _, *pose, number = reader.read("i7di")
        name = reader.word()
        reader.skip(reader.read("Q")[0] * POINT)
        if number not in shared:
            raise InputError(f"COLMAP images.bin: {name} has camera {number}, which cameras.bin lacks.")
        model, width, height, parameters = shared[number]
        camera = camera_from_colmap(model, width, height, parameters, pose[:4], pose[4:], dtype=dtype)
        cameras.append((name, camera))
    return cameras


def points_from_colmap_binary(points_bin: bytes) -> Float[Tensor, "n 3"]:
    """World points of a points3D.bin; those that are no numbers, failed triangulations, are left out.

    Raises:
        InputError: the file is truncated.
    """
    reader, points = _Reader(points_bin, "points3D.bin"), []
    for _ in range(reader.read("Q")[0]):
        _, x, y, z, *_ = reader.read("Q3d3Bd")
        points.append((x, y, z))
        reader.skip(reader.read("Q")[0] * 8)
    return _finite(points)


def points_from_colmap_text(points_txt: str) -> Float[Tensor, "n 3"]:
    """World points of a points3D.txt; those that are no numbers, failed triangulations, are left out.

    Raises:
        InputError: a line cannot be read; the message shows it.
    """
    points = []
    for line in points_txt.removeprefix("\ufeff").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            x, y, z = (float(word) for word in line.split(maxsplit=4)[1:4])
        except ValueError:
            raise InputError(f"COLMAP points3D.txt: the line {line[:80]!r} is not 'id x y z ...'.") from None
        points.append((x, y, z))
    return _finite(points)


def _finite(points: list[tuple[float, float, float]]) -> Float[Tensor, "n 3"]:
    with np.errstate(over="ignore"):
        found = np.array(points, np.float64).reshape(-1, 3).astype(np.float32)
    return torch.from_numpy(found[np.isfinite(found).all(axis=1)])
