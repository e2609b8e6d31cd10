"""The files of a packed data set: which arrays there are, their types and shapes."""

from __future__ import annotations

import errno
import operator
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...inputs import read_json
from ...inputs.arrays import Mapped, read_array
from ...ranges import require_range
from .hollows import MIRRORS
from .labels import LabelOptions
from .views import ViewOptions

INDEX = "pack.json"
AGAIN = "prepare the data again"
MAPS = ("depth", "back_depth", "normals", "back_colors")
NEWER = ("hollows", "mirrors")  # packs of earlier versions, and small ones, lack them
_SIZES = {
    "views": ("views", "count"),
    "size": ("views", "size"),
    "points": ("labels", "points"),
    "surface": ("labels", "surface"),
}
FORMAT = 2
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ArraySpec:
    """One array: row i belongs to object i.

    Attributes:
        name: of the array.
        dtype: of its numbers.
        shape: of a row.
    """

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
        ArraySpec("hollows", "float16", (v, s, s, 2)),
        ArraySpec("mirrors", "float16", (MIRRORS,)),
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
    return read_array(array_path(folder, name), mode, advice=AGAIN, missing=AGAIN)


def read_index(folder: str | Path) -> dict[str, Any]:
    """The content of a pack's index.

    Raises:
        InputError: the folder is not a pack, or one of a version that cannot be read, or its index is damaged.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        raise InputError(f"{folder} is not a packed data set (it holds no {INDEX}); make one: monoform prepare meshes.")
    index = read_json(path, advice=AGAIN)
    if index.get("format") != FORMAT:
        raise InputError(f"{path} has a format that this version cannot read; {AGAIN}.")
    try:
        for name, (group, field) in _SIZES.items():
            require_range(f"{path}: {name}", operator.index(index["options"][group][field]), 0, 1 << 24)
        for entry in index["objects"]:
            require_range(f"{path}: row", entry["row"], 0, 1 << 40)
            if not all(isinstance(entry[name], str) for name in ("name", "category", "licence")):
                raise InputError(f"{path} is damaged (an entry's name, category or licence is no word); {AGAIN}.")
        names = {entry["name"] for entry in index["objects"]}
        if len(names) < len(index["objects"]) or not all(type(entry["row"]) is int for entry in index["objects"]):
            raise InputError(f"{path} is damaged (two objects of one name, or a row that is no number); {AGAIN}.")
        if not all(isinstance(name, str) and isinstance(reason, str) for name, reason in index.get("failed", [])):
            raise InputError(f"{path} is damaged (its failed objects); {AGAIN}.")
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); {AGAIN}.") from error
    return index


def require_layout(arrays: Mapping[str, np.ndarray], index: Mapping[str, Any], folder: Path, *, small: bool) -> None:
    """Compare arrays with what the index says of them.

    Args:
        small: a small pack: maps may be missing, and points may be fewer and in float32.

    Raises:
        InputError: one is missing, or of another type or shape, or has fewer rows than the index names.
    """
    views, labels = index["options"]["views"], index["options"]["labels"]
    points = {name: arrays[name].shape[1] for name in ("points", "surface_points") if name in arrays and small}
    sizes = ViewOptions(count=views["count"], size=views["size"])
    counts = (points.get("points", labels["points"]), points.get("surface_points", labels["surface"]))
    rows = 1 + max((entry["row"] for entry in index["objects"]), default=-1)
    for spec in array_specs(sizes, LabelOptions(points=counts[0], surface=counts[1])):
        array = arrays.get(spec.name)
        if array is None and (spec.name in NEWER or (small and spec.name in MAPS)):
            continue
        place = folder if small else array_path(folder, spec.name)
        if array is None:
            raise InputError(f"{place} has no array {spec.name}; {AGAIN}.")
        expected = np.dtype(spec.dtype)
        same = array.dtype.kind == expected.kind if small else array.dtype == expected
        if not same or array.shape[1:] != spec.shape or len(array) < rows:
            raise InputError(
                f"{place}: {spec.name} is {array.dtype} of shape {array.shape}, where {INDEX} tells of {spec.dtype} "
                f"for {rows} rows of {spec.shape}; {AGAIN}."
            )
