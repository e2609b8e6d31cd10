"""STL: loose triangles, as bytes or as text."""

from __future__ import annotations

import struct

import numpy as np

from ..mesh import Mesh, repeats_a_vertex
from ..texture_stack import Part
from .limits import Count

_HEADER = 84
_ROW = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(data: bytes) -> list[Part]:
    """The triangles of an STL file.

    Raises:
        InputError: the mesh is too large.
        ValueError: the file is damaged.
    """
    corners = _binary(data) if _is_binary(data) else _text(data)
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    mesh = Mesh(corners.reshape(-1, 3), faces[~repeats_a_vertex(faces)])
    return [Part(mesh, None, None)] if len(faces) else []


def _is_binary(data: bytes) -> bool:
    """Text begins with 'solid', and so do the headers of some binary files: their size tells."""
    if len(data) >= _HEADER and len(data) == _HEADER + _ROW.itemsize * struct.unpack("<I", data[80:84])[0]:
        return True
    return data.lstrip()[:5].lower() != b"solid"


def _binary(data: bytes) -> np.ndarray:
    if len(data) < _HEADER:
        raise ValueError("the file is cut short")
    count = struct.unpack("<I", data[80:84])[0]
    Count().add(0, count)
    if _HEADER + count * _ROW.itemsize > len(data):
        available = (len(data) - _HEADER) // _ROW.itemsize
        raise ValueError(f"the file is cut short: {available} of its {count} triangles are there")
    return np.frombuffer(data, _ROW, count, _HEADER)["corners"].astype(np.float64)


def _text(data: bytes) -> np.ndarray:
    numbers: list[float] = []
    for line in data.splitlines():
        words = line.split()
        if words and words[0].lower() == b"vertex":
            if len(words) < 4:
                raise ValueError("a vertex has fewer than three numbers")
            numbers.extend(map(float, words[1:4]))
    if len(numbers) % 9:
        raise ValueError("the file is cut short")
    Count().add(0, len(numbers) // 9)
    return np.array(numbers, np.float64).reshape(-1, 3, 3)
