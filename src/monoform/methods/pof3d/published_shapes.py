"""Shapes as the published sampling program writes them: a sheared grid of densities, as a volume or as its surface."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from skimage.measure import marching_cubes
from torch import Tensor

from ...mesh import NoSurfaceError
from ...outputs import atomic_stream

CHUNK = 10**6  # points that the original asks for at once
OUTSIDE, BORDER = -1000.0, 30 / 256  # density of the border, and its share of the side
LEVEL = 10.0  # raw density at which the surface lies
HEADER = 1024  # bytes


def sheared_grid(resolution: int, side: float) -> tuple[Float[Tensor, "n 3"], tuple[Float[np.ndarray, " 3"], float]]:
    """Points of a cube around the origin as the original makes them, and its corner and the size of a voxel.

    The original divides indices without flooring, in float32: x and y are sheared by up to a voxel.

    Args:
        resolution: points along a side.
        side: of the cube, in the network's units.
    """
    corner, voxel = np.full(3, -side / 2), side / (resolution - 1)
    index = torch.arange(resolution**3)
    places = torch.zeros(resolution**3, 3)
    places[:, 2] = index % resolution
    places[:, 1] = (index.float() / resolution) % resolution
    places[:, 0] = ((index.float() / resolution) / resolution) % resolution
    return places * voxel + corner[0], (corner, voxel)


def volume_of(
    density: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]], resolution: int, side: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "x y z"]]:
    """Raw densities at the points of the sheared grid; and as the volume of the file, flipped and with a border."""
    points, _ = sheared_grid(resolution, side)
    with torch.no_grad():
        found = torch.cat([density(part).float().cpu() for part in points.split(CHUNK)]).numpy()
    volume = np.flip(found.reshape(resolution, resolution, resolution), 0).copy()
    width = int(BORDER * resolution)
    for axis in range(3):
        moved = np.moveaxis(volume, axis, 0)
        moved[:width] = OUTSIDE
        if width:
            moved[-width:] = OUTSIDE
    return found, volume


def surface_of(
    volume: Float[np.ndarray, "x y z"], level: float = LEVEL
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices, in voxels, and faces of the surface of a volume.

    Raises:
        NoSurfaceError: the density crosses the level nowhere.
    """
    if not volume.min() < level < volume.max():
        raise NoSurfaceError(f"The shape has no surface at the density {level:g}: its largest is {volume.max():.3g}.")
    vertices, faces, _, _ = marching_cubes(volume.transpose(2, 1, 0), level)
    return vertices, faces


def write_mrc(path: Path, volume: Float[np.ndarray, "x y z"]) -> None:
    """Write a volume as float32 in mode 2 of MRC2014, which ChimeraX and others read."""
    depth, height, width = volume.shape
    header = bytearray(HEADER)
    struct.pack_into("<10i", header, 0, width, height, depth, 2, 0, 0, 0, width, height, depth)
    struct.pack_into("<6f", header, 40, 0, 0, 0, 90, 90, 90)  # no size of a voxel
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    struct.pack_into("<3fi", header, 76, 0.0, -1.0, -2.0, 1)  # statistics not known; a volume
    struct.pack_into("<i", header, 108, 20141)
    header[208:216] = b"MAP \x44\x44\x00\x00"
    struct.pack_into("<f", header, 216, -1.0)
    with atomic_stream(path) as stream:
        stream.write(bytes(header))
        stream.write(np.ascontiguousarray(volume, dtype="<f4").tobytes())


def ply_header(vertices: int, faces: int) -> list[str]:
    """Lines of the header, without the last."""
    return [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {vertices}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {faces}",
        "property list uchar int vertex_indices",
    ]


def write_ply(path: Path, vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> None:
    """Write a mesh as the original does: binary, float32, without color."""
    rows = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    with atomic_stream(path) as stream:
        stream.write("\n".join([*ply_header(len(vertices), len(faces)), "end_header", ""]).encode())
        stream.write(np.ascontiguousarray(vertices, dtype="<f4").tobytes())
        stream.write(rows.tobytes())


def angles(pose: Float[Tensor, "n p"]) -> Float[Tensor, "n 2"]:
    """(h, phi) of pose parameters (h, v): the angles whose statistics the original prints."""
    return torch.stack((pose[:, 0], torch.arccos(1 - 2 * pose[:, 1] / torch.pi)), dim=1)
