"""The files of a packed data set: which arrays there are, their types and shapes."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..inputs.arrays import Mapped, read_array
from .labels import LabelOptions
from .views import ViewOptions

INDEX = "pack.json"
FORMAT = 2
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArraySpec:
    """One array: row i belongs to object i."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def array_specs(views: ViewOptions, labels: LabelOptions) -> tuple[ArraySpec, ...]:
    """The arrays of one object, in the order in which they are documented."""
    v, s = views.count, views.size
    return (
        ArraySpec("images", "uint8", (v, s, s, 4)),
        ArraySpec("depth", "float16", (v, s, s)),
        ArraySpec("normals", "int8", (v, s, s, 3)),
        ArraySpec("back_depth", "float16", (v, s, s)),
        ArraySpec("back_colors", "uint8", (v, s, s, 3)),
        ArraySpec("world_from_camera", "float32", (v, 4, 4)),
        ArraySpec("intrinsics", "float32", (v, 3, 3)),
        ArraySpec("points", "float16", (labels.points, 3)),
        ArraySpec("sdf", "float16", (labels.points,)),
        ArraySpec("surface_points", "float16", (labels.surface, 3)),
        ArraySpec("surface_normals", "int8", (labels.surface, 3)),
        ArraySpec("surface_colors", "uint8", (labels.surface, 3)),
    )


def array_path(folder: Path, name: str) -> Path:
    """Where the array of this name lies."""
    return folder / f"{name}.npy"


def create_arrays(folder: Path, specs: tuple[ArraySpec, ...], count: int) -> None:
    """Make the files with room for `count` objects.

    The room is reserved on the disk: a mapped page that the disk cannot take would kill the process that writes it.

    Raises:
        OSError: the disk has not enough room.
    """
    for spec in specs:
        path = array_path(folder, spec.name)
        np.lib.format.open_memmap(path, "w+", spec.dtype, (count, *spec.shape))
        with path.open("r+b") as file:
            _reserve(file.fileno(), path.stat().st_size)


def _reserve(file: int, size: int) -> None:
    """Let an open file, which may have holes, take all its bytes of the disk; what is in it stays."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
    header = os.pread(file, min(size, _BLOCK), 0) if hasattr(os, "pread") else os.read(file, min(size, _BLOCK))
    os.lseek(file, 0, os.SEEK_SET)
    for start in range(0, size, _BLOCK):
        piece = header if start == 0 else bytes(min(_BLOCK, size - start))
        while piece:
            piece = piece[os.write(file, piece) :]


def open_array(folder: Path, name: str, *, mode: Mapped = "r") -> np.ndarray:
    """One array, mapped into memory.

    Raises:
        InputError: the file is missing or damaged.
    """
    return read_array(array_path(folder, name), mode, advice="prepare the data again", missing="prepare the data again")


def read_index(folder: str | Path) -> dict[str, Any]:
    """The content of a pack's index.

    Raises:
        InputError: the folder is not a pack, or one of a version that cannot be read.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        raise InputError(f"{folder} is not a packed data set (it holds no {INDEX}); make one: monoform prepare meshes.")
    try:
        index = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); prepare the data again.") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise InputError(f"{path} has a format that this version cannot read; prepare the data again.")
    return index
