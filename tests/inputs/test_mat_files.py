"""MATLAB's files, read as they stream by: the same as SciPy reads, and nothing that a hostile one claims."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from monoform.errors import InputError
from monoform.inputs.mat_files import read_structures

ADVICE = "copy it again"


def structures(*entries: dict) -> np.ndarray:
    found = np.empty((1, len(entries)), dtype=[(name, object) for name in entries[0]])
    for number, entry in enumerate(entries):
        found[0, number] = tuple(entry.values())
    return found


def entry(number: int) -> dict[str, Any]:
    return {
        "rel_path": f"Käfer/{number}.jpg",
        "mask": (np.arange(12).reshape(3, 4) % (number + 2) > 0).astype(np.uint8),
        "bbox": {"x1": 1.0 + number, "y1": 2.5},
        "pose": np.random.default_rng(number).standard_normal((3, 3)).astype(np.float32),
        "large": np.array([[1 << 40]], np.int64),
        "on": np.array([[True]]),
        "parts": np.array([np.array([[1.0]]), "word"], dtype=object),
        "nothing": np.empty((0, 0)),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_the_same_is_read_as_by_scipy(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    content = {"before": np.zeros((50, 50)), "images": structures(*map(entry, range(3))), "after": 1.0}
    savemat(file, content, do_compression=packed)
    wanted = loadmat(file, struct_as_record=False, squeeze_me=False)["images"][0]
    found = list(read_structures(file, "images", advice=ADVICE))
    assert len(found) == 3
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours["rel_path"] == theirs.rel_path[0] and ours["rel_path"].startswith("Käfer")
        for name in ("mask", "pose", "large", "nothing", "on"):
            assert np.array_equal(ours[name], getattr(theirs, name)), name
            assert ours[name].dtype == getattr(theirs, name).dtype or name == "on"
        assert ours["bbox"]["y1"].item() == 2.5 and set(ours["bbox"]) == {"x1", "y1"}
        assert ours["parts"][0].item() == 1.0 and ours["parts"][1] == "word"
    savemat(file, {"images": np.array([entry(0), entry(1)], dtype=object)})  # cells of structures
    assert [each["rel_path"] for each in read_structures(file, "images", advice=ADVICE)] == [
        "Käfer/0.jpg",
        "Käfer/1.jpg",
    ]


def refused(data: bytes, tmp_path: Path, sentence: str) -> None:
    (tmp_path / "bad.mat").write_bytes(data)
    with pytest.raises(InputError, match=rf"bad\.mat .*{sentence}"):
        list(read_structures(tmp_path / "bad.mat", "images", advice=ADVICE))


def head(order: bytes = b"IM") -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1" + order


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def array(kind: int, shape: tuple[int, ...], name: bytes, rest: bytes) -> bytes:
    flags = element(6, struct.pack("<II", kind, 0))
    body = flags + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name) + rest
    return struct.pack("<II", 14, len(body)) + body


def one_structure(value: bytes, count: int = 1) -> bytes:
    names = element(5, struct.pack("<i", 8)) + element(1, b"a".ljust(8, b"\0"))
    return array(2, (1, count), b"images", names + value)


def test_hostile_files_are_one_sentence(tmp_path: Path) -> None:
    refused(b"", tmp_path, "cannot be read")
    refused(b"MATLAB 7.3 MAT-file".ljust(600), tmp_path, "version 7.3; save it with -v7")
    refused(b"\x89HDF\r\n\x1a\n".ljust(600), tmp_path, "version 7.3")
    refused(b"x" * 600, tmp_path, "no MATLAB file of version 5")
    refused(head(), tmp_path, "no structures 'images'")
    number = array(6, (1, 1), b"images", element(9, struct.pack("<d", 1)))
    refused(head() + number, tmp_path, "no array of structures")
    claims = array(6, (40_000, 40_000), b"", element(9, b""))
    refused(head() + one_structure(claims), tmp_path, "an array of the shape")
    refused(
        head() + one_structure(array(6, (9, 9), b"", element(9, b"12345678"))), tmp_path, "1 numbers in the place of 81"
    )
    refused(head() + one_structure(struct.pack("<II", 14, 1 << 31)), tmp_path, "larger than the whole")
    short = one_structure(array(6, (1, 1), b"", struct.pack("<II", 9, 200 << 20)))
    refused(head() + short, tmp_path, "larger than the whole")
    refused(head() + one_structure(array(16, (1, 1), b"", b"")), tmp_path, "a function, an object or a sparse array")
    refused(head() + one_structure(b"", count=1 << 30), tmp_path, "an array of the shape|structures without names")
    deep = array(6, (1, 1), b"", element(9, struct.pack("<d", 1)))
    for _ in range(3000):
        deep = array(1, (1, 1), b"", deep)
    refused(head() + one_structure(deep), tmp_path, "nested more than 8 levels")


def test_what_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    """Zeros by the gigabyte, packed a thousandfold; as the array itself and before it."""
    packer = zlib.compressobj(9)
    start = one_structure(array(6, (1, 1), b"", struct.pack("<II", 9, 0xF0000000)))
    packed = packer.compress(start) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(60)) + packer.flush()
    bomb = struct.pack("<II", 15, len(packed)) + packed
    tracemalloc.start()
    refused(head() + bomb, tmp_path, "an array of 3840 MB")
    other = array(6, (1, 1), b"other", element(9, b"12345678"))
    packer = zlib.compressobj(9)
    packed = packer.compress(other) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(60)) + packer.flush()
    refused(head() + struct.pack("<II", 15, len(packed)) + packed, tmp_path, "no structures 'images'")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    savemat(buffer, {"images": structures(entry(0), entry(1))})
    data, draws = buffer.getvalue(), random.Random(0)
    for _ in range(150):
        bad = bytearray(data[: draws.randrange(len(data))] if draws.random() < 0.3 else data)
        for _ in range(draws.randrange(1, 6)):
            if bad:
                bad[draws.randrange(len(bad))] = draws.randrange(256)
        (tmp_path / "bad.mat").write_bytes(bad)
        try:
            list(read_structures(tmp_path / "bad.mat", "images", advice=ADVICE))
        except InputError as error:
            assert "\n" not in str(error)
