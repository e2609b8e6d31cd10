"""NumPy's files that the user brings: the head of every array is compared with its bytes before room is made for it."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from .archives import damaged, open_archive, read_exactly
from .files import AnyPath, open_binary, require_regular_file

MAX_ARRAY_BYTES = 1 << 30
KINDS = "biufcSU"
ADVICE = "copy it or make it again"
Mapped = Literal["r", "r+", "c"]


def read_arrays(
    path: str | AnyPath, *, limit: int = MAX_ARRAY_BYTES, advice: str = ADVICE, missing: str = "check the name"
) -> dict[str, np.ndarray]:
    """All arrays of an npz file by their names, in the machine's byte order.

    Args:
        limit: bytes of all arrays together.
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.

    Raises:
        InputError: the file is missing, damaged, too large, or an array holds something else than numbers and words.
    """
    with open_archive(path, limit=limit, advice=advice, missing=missing) as archive:
        arrays = {}
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                dtype, shape, order, offset = array_head(file)  # type: ignore[arg-type]
                size = _bytes_of(dtype, shape, member.file_size - offset)
                data = read_exactly(file, size)  # type: ignore[arg-type]
            arrays[member.filename.removesuffix(".npy")] = _array(np.frombuffer(data, dtype), shape, order)
        if not arrays:
            raise ValueError("it holds no array")
        return arrays


def read_array(
    path: str | AnyPath,
    mmap: Mapped | None = None,
    *,
    limit: int = MAX_ARRAY_BYTES,
    advice: str = ADVICE,
    missing: str = "check the name",
) -> np.ndarray:
    """The array of an npy file.

    Args:
        mmap: map it into memory in this mode instead of reading it, in the file's byte order and of any size.
        limit: bytes, where it is read.
        advice: as of `read_arrays`.
        missing: as of `read_arrays`.

    Raises:
        InputError: as `read_arrays`.
    """
    available = require_regular_file(path, advice=missing)
    try:
        with open_binary(path) as file:
            dtype, shape, order, offset = array_head(file)
            size = _bytes_of(dtype, shape, available - offset)
            if mmap is not None and size > 0 and isinstance(path, (str, Path)):
                return np.memmap(path, dtype, mmap, offset, shape, order)
            if size > limit:
                raise InputError(f"{path} has {size / 1e6:.0f} MB; up to {limit / 1e6:.0f} MB are read.")
            return _array(np.frombuffer(read_exactly(file, size), dtype), shape, order)
    except InputError:
        raise
    except Exception as error:  # whatever NumPy and the system stumble over
        raise damaged(path, error, advice) from error


def array_head(file: io.BufferedIOBase, kinds: str = KINDS) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"], int]:
    """Kind of numbers, shape, order, and the bytes of the head itself, of an .npy file.

    Raises:
        ValueError: it is no such head, or of other kinds than are asked for.
    """
    start = file.read(10)
    version = np.lib.format.read_magic(io.BytesIO(start))
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version is {version[0]}.{version[1]}")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes((start + file.read(width - 2))[8 : 8 + width], "little")
    if length > 10_000:
        raise ValueError(f"its head has {length} bytes")
    text = io.BytesIO(length.to_bytes(width, "little") + file.read(length))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(text)
    except Exception as error:  # the head is a line of Python, whose parser has many ways to fail and to say so
        raise ValueError("its head is no description of an array") from error
    if dtype.kind not in kinds or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype} and no numbers")
    return dtype, shape, "F" if fortran else "C", 8 + width + length


def _bytes_of(dtype: np.dtype, shape: tuple[int, ...], available: int) -> int:
    size = math.prod(shape) * dtype.itemsize
    if len(shape) > 32 or not all(0 <= count < 1 << 48 for count in shape):
        raise ValueError(f"its shape is {str(shape)[:80]}")
    if size > available:
        raise ValueError(f"its shape {shape} takes {size} bytes and {available} are there")
    return size


def _array(values: np.ndarray, shape: tuple[int, ...], order: Literal["C", "F"]) -> np.ndarray:
    """The array in its shape and the machine's byte order, of a type that PyTorch has too."""
    dtype = np.dtype(np.float64) if values.dtype == np.longdouble else values.dtype.newbyteorder("=")
    return values.reshape(shape, order=order).astype(dtype, copy=False)
