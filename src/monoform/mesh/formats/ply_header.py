"""The header of a PLY file: which elements follow, and how their numbers are stored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """A number, or a list of numbers.

    Attributes:
        name: of the property.
        dtype: of a number.
        length: type of the length of a list; None for a number.
    """

    name: str
    dtype: np.dtype
    length: np.dtype | None = None


@dataclass
class Element:
    """A table.

    Attributes:
        name: of the table.
        count: of its rows.
        properties: its columns.
    """

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


@dataclass
class Header:
    """The header of a PLY file.

    Attributes:
        order: "<", ">" or "" for text.
        elements: in the order of the file.
        textures: names in comments.
        size: bytes of the header.
    """

    order: str
    elements: list[Element]
    textures: list[str]
    size: int


def read_header(data: bytes) -> Header:
    """The header at the start of `data`.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    head, size = _header_lines(data)
    order, elements, textures = None, [], []
    for line in head:
        words = line.split()
        match words[:1]:
            case ["format"]:
                order = _ORDERS.get(words[1]) if len(words) > 1 else None
            case ["element"]:
                elements.append(Element(words[1], _count(words[2])))
            case ["property"]:
                elements[-1].properties.append(_property(words, order or ""))
            case ["comment"] if len(words) > 2 and words[1].lower() == "texturefile":
                textures.append(line.split(None, 2)[2].strip())
    if order is None:
        raise ValueError("the header names no known format")
    return Header(order, elements, textures, size)


def _header_lines(data: bytes) -> tuple[list[str], int]:
    if data[:3] != b"ply":
        raise ValueError("it does not begin with 'ply'")
    end = data.find(b"end_header", 0, 1 << 20)
    if end < 0:
        raise ValueError("its header has no end")
    size = end + len(b"end_header")
    size += 2 if data[size : size + 2] == b"\r\n" else 1
    return data[:end].decode("utf-8", errors="surrogateescape").splitlines()[1:], size


def _count(word: str) -> int:
    count = int(word)
    if count < 0:
        raise ValueError(f"an element has {count} rows")
    return count


def _property(words: list[str], order: str) -> Property:
    def dtype(word: str) -> np.dtype:
        if word not in _TYPES:
            raise ValueError(f"the header has the type {word[:20]!r}")
        return np.dtype(order + _TYPES[word])

    if words[1] == "list":
        return Property(words[4], dtype(words[3]), dtype(words[2]))
    return Property(words[2], dtype(words[1]))
