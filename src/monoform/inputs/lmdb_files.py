"""LMDB databases, such as LSUN's, read without the library: a tree of pages in one file.

Every number of a page is compared with the file before it is followed. (Little-endian machines with 64 bits, one table
without duplicate keys, as the library makes by default.)
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from .archives import damaged
from .files import is_folder, require_regular_file

FILE = "data.mdb"
MAGIC, VERSION = 0xBEEFC0DE, 1
HEAD = 16  # bytes of a page before its list of nodes, and those of a node are half
BRANCH, LEAF, OVERFLOW = 1, 2, 4
ELSEWHERE, NOT_PLAIN = 1, 6  # flags of a node: its value has pages of its own; it is a table
NONE = (1 << 64) - 1  # in the place of the first page of an empty tree
MAX_DEPTH = 32
MAX_VALUE = 256 << 20
ADVICE = "copy the database again"


def is_lmdb(place: str | Path) -> bool:
    """Whether a path is that of such a database: a folder with data.mdb, or this file."""
    return Path(place).name == FILE or (is_folder(place) and (Path(place) / FILE).is_file())


class LmdbFile:
    """Keys and values of a database.

    Attributes:
        path: of its file.
        keys: sorted, as the database has them.
    """

    def __init__(self, place: str | Path) -> None:
        """Read all keys.

        Raises:
            InputError: the file is missing or damaged.
        """
        self.path = Path(place) / FILE if is_folder(place) else Path(place)
        self.size = require_regular_file(self.path)
        self.keys: list[bytes] = []
        self.places: list[tuple[int, int]] = []
        try:
            self.data = self._mapped()
            self.page_size, root = self._root()
            self.pages_left = self.size // self.page_size
            for key, value, length in self._nodes(root, MAX_DEPTH) if root != NONE else ():
                self.keys.append(key)
                self.places.append((value, length))
        except Exception as error:  # whatever the bytes of a damaged file lead to
            raise damaged(self.path, error, ADVICE) from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "data"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.data = self._mapped()

    def value(self, number: int) -> bytes:
        """The value of a key by its number.

        Raises:
            InputError: it lies outside the file.
        """
        start, length = self.places[number]
        if length > MAX_VALUE or start + length > len(self.data):
            raise InputError(f"{self.path} is damaged, a value has {length} bytes: {ADVICE}.")
        return self.data[start : start + length]

    def _mapped(self) -> mmap.mmap:
        with open(self.path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _root(self) -> tuple[int, int]:
        """Bytes of a page and the number of the tree's first, by the later of the two records at the beginning."""
        magic, version = struct.unpack_from("<II", self.data, HEAD)
        page_size, _, _ = struct.unpack_from("<IHH", self.data, HEAD + 24)
        if (magic, version) != (MAGIC, VERSION) or page_size not in (1 << bits for bits in range(9, 17)):
            raise ValueError("it is no LMDB database")
        records = []
        for page in (0, page_size):
            (root,) = struct.unpack_from("<Q", self.data, page + HEAD + 24 + 48 + 40)
            (change,) = struct.unpack_from("<Q", self.data, page + HEAD + 24 + 96 + 8)
            records.append((change, root))
        return page_size, max(records)[1]

    def _page(self, number: int) -> tuple[int, int]:
        """Where a page begins, and its flags."""
        start = number * self.page_size
        if start + self.page_size > self.size:
            raise ValueError(f"its page {number} is beyond its end")
        return start, struct.unpack_from("<H", self.data, start + 10)[0]

    def _nodes(self, number: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
        """(key, place and length of the value) of every leaf below a page, in order."""
        self.pages_left -= 1
        if self.pages_left < 0:  # pages that are met again and again
            raise ValueError("its tree is longer than the file")
        start, flags = self._page(number)
        (lower,) = struct.unpack_from("<H", self.data, start + 12)
        if depth == 0 or not HEAD <= lower <= self.page_size or not flags & (BRANCH | LEAF):
            raise ValueError("its tree is broken")
        for (offset,) in struct.iter_unpack("<H", self.data[start + HEAD : start + lower]):
            node = start + offset
            low, high, node_flags, key_size = struct.unpack_from("<HHHH", self.data, node)
            begin = node + HEAD // 2
            if offset + HEAD // 2 + key_size > self.page_size:
                raise ValueError("its tree is broken")
            if flags & BRANCH:
                yield from self._nodes(low | high << 16 | node_flags << 32, depth - 1)
                continue
            if node_flags & NOT_PLAIN:
                raise ValueError("it has tables in its table")
            place, length = begin + key_size, low | high << 16
            if node_flags & ELSEWHERE:
                place, kind = self._page(struct.unpack_from("<Q", self.data, place)[0])
                place += HEAD
                if not kind & OVERFLOW:
                    raise ValueError("its tree is broken")
            if place + length > self.size:
                raise ValueError("a value ends beyond its end")
            yield self.data[begin : begin + key_size], place, length
