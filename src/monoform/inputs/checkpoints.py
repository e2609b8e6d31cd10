"""PyTorch's files that the user brings, in both formats of `torch.save`: tensors, arrays, numbers, words, containers.

Nothing in them is run, and no room is made for what they do not hold the bytes of.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import torch

from ..errors import InputError
from .archives import damaged, open_archive, read_exactly
from .checkpoint_names import Storage, allowed_names, storage_of
from .files import AnyPath, open_binary, require_regular_file
from .pickles import Unpickler

MAX_PICKLE = 128 << 20  # bytes of the pickle, which describes the tensors and does not hold their numbers
LARGEST = 8 << 30
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_checkpoint(
    path: str | AnyPath, advice: str, *, largest: int = LARGEST, missing: str = "", strangers: bool = False
) -> Any:
    """The content of a file of `torch.save`.

    Args:
        advice: what the user should give instead, the end of the sentence of an error.
        largest: bytes; a file beyond is not read.
        missing: what to do where there is none; the same by default.
        strangers: objects of other kinds that a training kept beside the tensors become empty tables.

    Raises:
        InputError: the file is missing, too large, damaged, or holds more than tensors, arrays, numbers, words and
            containers of them.
    """
    size = require_regular_file(path, advice=missing or advice)
    if not size:
        raise InputError(f"{path} is empty (zero bytes): {advice}.")
    if size > largest:
        raise InputError(f"{path} has {size >> 20} MB, far more than such a checkpoint: {advice}.")
    try:
        with open_binary(path) as file:
            if file.read(4) != b"PK\x03\x04":
                file.seek(0)
                return from_stream(file, size, strangers=strangers)
        with open_archive(path, limit=size, advice=advice) as archive:
            return _from_archive(archive, strangers)
    except InputError:
        raise
    except Exception as error:  # bytes that are no checkpoint make the reader stumble over anything
        raise damaged(path, error, advice) from error


def _from_archive(archive: zipfile.ZipFile, strangers: bool) -> Any:
    """The format since PyTorch 1.6: a pickle, and a record for the numbers of each storage."""
    members = {member.filename: member for member in archive.infolist()}
    for member in members.values():
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("its records are compressed, which PyTorch never does")
        if member.CRC == 0:
            member.CRC = None  # type: ignore[assignment]  # written without check sums
    (root,) = (name.removesuffix("data.pkl") for name in members if name.rpartition("/")[2] == "data.pkl")

    def record(name: str) -> bytearray:
        with archive.open(members[root + name]) as file:
            return read_exactly(file, members[root + name].file_size)  # type: ignore[arg-type]

    if root + "byteorder" in members and record("byteorder") != b"little":
        raise ValueError("it is of a machine with another byte order")
    if members[root + "data.pkl"].file_size > MAX_PICKLE:
        raise ValueError(f"its pickle has more than {MAX_PICKLE >> 20} MB")

    def numbers(key: str, size: int) -> torch.Tensor:
        found = record(f"data/{key}")
        if len(found) < size:
            raise ValueError(f"its record {key[:40]} has {len(found)} bytes of {size}")
        return torch.frombuffer(found, dtype=torch.uint8) if found else torch.empty(0, dtype=torch.uint8)

    pickle = record("data.pkl")
    return _unpickler(len(pickle), numbers, strangers).read(io.BytesIO(pickle))


def from_stream(
    file: io.BufferedIOBase, size: int, unpickler: Unpickler | None = None, *, strangers: bool = False
) -> Any:
    """The format before: pickles that tell what it is, the pickle, the keys, then each storage's length and numbers.

    Args:
        size: bytes of the file.
        unpickler: whose steps are spent where the file is part of another one.
        strangers: as of `read_checkpoint`.

    Raises:
        Exception: of any kind where the bytes are no such file.
    """
    head = io.BytesIO(file.read(min(size, MAX_PICKLE)))
    room = size
    storages: dict[str, torch.Tensor] = {}

    def numbers(key: str, wanted: int) -> torch.Tensor:
        nonlocal room
        room -= wanted
        if room < 0:
            raise ValueError("its tensors are larger than it")
        storages[key] = torch.zeros(wanted, dtype=torch.uint8)
        return storages[key]

    reader = _unpickler(size, numbers, strangers)
    reader.left = reader.left if unpickler is None else unpickler.left
    if reader.read(head) != _MAGIC or reader.read(head) != _PROTOCOL:
        raise ValueError("it is no file of PyTorch")
    if not reader.read(head)["little_endian"]:
        raise ValueError("it is of a machine with another byte order")
    content, keys = reader.read(head), reader.read(head)
    file.seek(head.tell())
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        place = storages[key].numpy()
        if count < 0 or len(place) % max(count, 1) or file.readinto(place) != len(place):  # type: ignore[arg-type]
            raise EOFError("it ends before its last tensor")
    if unpickler is not None:
        unpickler.left = reader.left
    return content


def _unpickler(size: int, numbers: Callable[[str, int], torch.Tensor], strangers: bool) -> Unpickler:
    storages: dict[str, Storage] = {}

    def load(identifier: Any) -> Storage:
        key, kind, count = storage_of(identifier)
        if key not in storages:
            storages[key] = Storage(kind, count, numbers(key, count * kind.itemsize))
        if storages[key].kind != kind or storages[key].count != count:
            raise ValueError(f"its storage {key[:40]} has two kinds")
        return storages[key]

    unpickler = Unpickler({}, load, strangers=strangers)
    unpickler.names = allowed_names(unpickler.spend, size)
    return unpickler
