"""MATLAB's files of version 5, read as they stream by: one structure of an array after the other, none kept.

SciPy reads the same files, all of them at once and with room made for whatever they claim; sets with a mask for every
photo become many gigabytes so. Numbers, words, structures and cells are read; functions and objects are refused.
(MathWorks, MAT-File Format, tells the layout.)
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import InputError
from .archives import STEP, damaged, read_exactly
from .files import AnyPath, open_binary, require_regular_file

MAX_FILE = 8 << 30
MAX_VALUE = 256 << 20  # bytes of one array
MAX_DEPTH, MAX_COUNT = 8, 1 << 20
_COMPRESSED, _MATRIX = 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR, _DOUBLE = 1, 2, 4, 6
_KINDS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")  # of the classes from double on


def read_structures(
    path: str | AnyPath, name: str, *, advice: str, missing: str = "check the name"
) -> Iterator[dict[str, Any]]:
    """The structures of an array that a file holds, in order, each as a dictionary of its fields.

    A field is an array of numbers (rows, columns), a word, a dictionary, or a list of these; structures in it are
    dictionaries where there is one of them, else lists.

    Args:
        name: of the array.
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.

    Raises:
        InputError: the file is missing, too large, damaged, of another version, or holds no such array.
    """
    size = require_regular_file(path, advice=missing)
    if size > MAX_FILE:
        raise InputError(f"{path} has {size >> 20} MB; up to {MAX_FILE >> 20} MB are read.")
    try:
        with open_binary(path) as file:
            yield from _structures(file, name)
    except InputError:
        raise
    except GeneratorExit:
        raise
    except Exception as error:  # zlib and struct raise whatever they stumble over
        raise damaged(path, error, advice) from error


def _structures(file: io.BufferedIOBase, name: str) -> Iterator[dict[str, Any]]:
    head = bytes(read_exactly(file, 128))
    if head.startswith(b"\x89HDF") or b"MATLAB 7.3" in head[:20]:
        raise ValueError("it is of MATLAB's version 7.3; save it with -v7")
    if head[126:128] not in (b"IM", b"MI"):
        raise ValueError("it is no MATLAB file of version 5")
    order = "<" if head[126:128] == b"IM" else ">"
    while True:
        start = file.read(8)
        if not start:
            raise ValueError(f"it holds no structures {name!r}")
        kind, size = struct.unpack(order + "II", start)
        inner = _Unpacked(file, size) if kind == _COMPRESSED else _Plain(file, size)
        reader = _Reader(inner.read, order)
        if kind == _COMPRESSED:
            kind, size = reader.tag()[:2]
        if kind == _MATRIX:
            head_of = reader.head()
            if head_of.name == name:
                yield from reader.structures(head_of)
                return
        inner.skip()


class _Plain:
    """The bytes of one element of the file."""

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise EOFError("a part of it is larger than the whole")
        self.left -= size
        return bytes(read_exactly(self.file, size))

    def skip(self) -> None:
        """Go on behind the element."""
        while self.left:
            self.read(min(STEP, self.left))


class _Unpacked(_Plain):
    """The same of one that is compressed; no more is unpacked than is asked for."""

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        super().__init__(file, size)
        self.stream, self.waiting = zlib.decompressobj(), b""

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            if not self.waiting:
                self.waiting = super().read(min(STEP, self.left))
            if self.stream.eof or not self.waiting:
                raise EOFError(f"{size} bytes should follow and {len(data)} do")
            data += self.stream.decompress(self.waiting, size - len(data))
            self.waiting = self.stream.unconsumed_tail
        return bytes(data)

    def skip(self) -> None:
        while self.left:
            super().read(min(STEP, self.left))


class _Head:
    """What an array is called, and what it holds."""

    def __init__(self, kind: int, shape: tuple[int, ...], name: str) -> None:
        self.kind, self.shape, self.name, self.count = kind, shape, name, math.prod(shape)


class _Reader:
    """Reads arrays from a stream of bytes."""

    def __init__(self, read: Callable[[int], bytes], order: str) -> None:
        self.read, self.order = read, order

    def tag(self) -> tuple[int, int, bytes | None]:
        """Kind and size of the next element, and its bytes where they stand in the tag."""
        start = self.read(8)
        kind, size = struct.unpack(self.order + "II", start)
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise ValueError("it has a small element that is none")
            return kind, size, start[4 : 4 + size]
        return kind, size, None

    def data(self) -> tuple[int, bytes]:
        """Kind and bytes of the next element, which holds no others."""
        kind, size, small = self.tag()
        if small is not None:
            return kind, small
        if size > MAX_VALUE:
            raise ValueError(f"it has an array of {size >> 20} MB")
        data = self.read(size)
        self.read(-size % 8)
        return kind, data

    def numbers(self) -> np.ndarray:
        """The numbers of the next element."""
        kind, data = self.data()
        if kind not in _NUMBERS:
            raise ValueError(f"it has an element of kind {kind} in the place of numbers")
        return np.frombuffer(data, self.order + _NUMBERS[kind])

    def head(self) -> _Head:
        """The beginning of an array."""
        flags = self.numbers()
        shape = tuple(int(length) for length in self.numbers())
        name = self.data()[1].decode("latin-1")
        head = _Head(int(flags[0]) & 0xFF, shape, name)
        if len(shape) > 8 or any(length < 0 for length in shape) or head.count > MAX_VALUE:
            raise ValueError(f"it has an array of the shape {str(shape)[:60]}")
        if int(flags[0]) & 0x800:
            raise ValueError("it has complex numbers")
        return head

    def structures(self, head: _Head, depth: int = 0) -> Iterator[dict[str, Any]]:
        """One after the other; where cells hold them, of each cell."""
        if head.kind == _CELL and head.count <= MAX_COUNT:
            for _ in range(head.count):
                found = self.value(depth + 1)
                if not isinstance(found, dict):
                    raise ValueError(f"its {head.name[:40]!r} has cells without structures")
                yield found
            return
        if head.kind != _STRUCT:
            raise ValueError(f"its {head.name[:40]!r} is no array of structures")
        length = int(self.numbers()[0])
        names = self.data()[1]
        if not 0 < length <= 256 or len(names) % length or head.count > MAX_COUNT:
            raise ValueError("it has structures without names")
        fields = [names[at : at + length].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), length)]
        for _ in range(head.count if fields else 0):
            yield {field: self.value(depth + 1) for field in fields}

    def value(self, depth: int) -> Any:
        """The next array."""
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        kind, size, _ = self.tag()
        if kind != _MATRIX:
            raise ValueError(f"it has an element of kind {kind} in the place of an array")
        if not size:
            return np.empty((0, 0))
        head = self.head()
        if head.kind == _STRUCT:
            found = list(self.structures(head, depth))
            return found[0] if len(found) == 1 else found
        if head.kind == _CELL:
            if head.count > MAX_COUNT:
                raise ValueError(f"it has {head.count} cells")
            return [self.value(depth + 1) for _ in range(head.count)]
        if head.kind == _CHAR:
            kind, data = self.data()
            if kind not in _TEXTS:
                raise ValueError(f"it has letters of kind {kind}")
            code = _TEXTS[kind]
            return data.decode(f"{code}-{'le' if self.order == '<' else 'be'}" if kind in (4, 17, 18) else code)
        if not _DOUBLE <= head.kind < _DOUBLE + len(_KINDS):
            raise ValueError("it has a function, an object or a sparse array")
        values = self.numbers()
        if len(values) != head.count:
            raise ValueError(f"it has {len(values)} numbers in the place of {head.count}")
        return values.astype(_KINDS[head.kind - _DOUBLE]).reshape(head.shape, order="F")
