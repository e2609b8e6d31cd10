"""NumPy's files: what is read is what was written, and no damaged byte ends in anything but a sentence."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from monoform.errors import InputError
from monoform.inputs import read_array, read_arrays


def head(shape: str, dtype: str = "<f4", order: str = "False") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array(7, np.int64),
        np.zeros((0, 3)),
        np.arange(5, dtype=">f8"),
        np.array(["a", "bc"]),
        np.array([True, False]),
        np.array([0.5], np.longdouble),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_reads_what_numpy_wrote(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", first=array, second=array)
    for found in (read_array(tmp_path / "a.npy"), *read_arrays(tmp_path / "a.npz").values()):
        np.testing.assert_array_equal(found, array)
        assert found.shape == array.shape and found.dtype.isnative and found.dtype.itemsize <= 8
    assert list(read_arrays(tmp_path / "a.npz")) == ["first", "second"]


def test_maps_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    mapped = read_array(tmp_path / "a.npy", "r+")
    mapped[1] = 9
    mapped.flush()  # type: ignore[attr-defined]
    assert isinstance(mapped, np.memmap) and read_array(tmp_path / "a.npy")[1].tolist() == [9, 9, 9]


@pytest.mark.parametrize(
    "content",
    [
        head("(1000000, 1000000)"),
        head("(281474976710656, 281474976710656)"),
        head("(-4,)") + b"0000",
        head("(0, 10000000000000000000000)"),
        head("(" + "1, " * 40 + ")") + b"0000",
        head("(True,)") + b"0000",
        head("(1000000000000,)", "<U0"),
        head("(1,)", "|O") + b"\x80\x04N.",
        head("(1,)", "<M8[s]") + bytes(8),
        head("(4,)")[:-20],
        b"\x93NUMPY\x03\x00" + bytes(100),
        b"\x93NUMPY\x02\x00" + b"\xff" * 100,
        head("(" * 3000),
        head("(1,)") + b"abc",
        b"",
        b"PK\x03\x04" + bytes(40),
    ],
    ids=range(16),
)
def test_refuses_heads_that_their_bytes_do_not_bear_out(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    for mode in (None, "r"):
        with pytest.raises(InputError, match=r"a\.npy cannot be read, it is damaged or truncated"):
            read_array(tmp_path / "a.npy", mode)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a\.npz cannot be read, it is damaged or truncated"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_every_damaged_byte_is_read_or_refused_with_a_sentence(compressed: bool, tmp_path: Path) -> None:
    buffer, single = io.BytesIO(), io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, a=np.arange(6.0), b=np.eye(2))
    np.save(single, np.arange(6.0))
    refused = 0
    for name, whole, read in (("a.npz", buffer.getvalue(), read_arrays), ("a.npy", single.getvalue(), read_array)):
        for place in range(0, len(whole), 2):
            for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
                (tmp_path / name).write_bytes(content)
                try:
                    read(tmp_path / name)
                except InputError:
                    refused += 1
    assert refused > 150


def test_refuses_archives_that_unfold_to_more_than_the_limit(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(4_000_000))
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000
    with pytest.raises(InputError, match="unfolds to 32 MB; up to 1 MB are read"):
        read_arrays(tmp_path / "bomb.npz", limit=1_000_000)
    np.save(tmp_path / "large.npy", np.zeros(1000))
    with pytest.raises(InputError, match="up to 0 MB are read"):
        read_array(tmp_path / "large.npy", limit=100)


def test_a_list_that_understates_a_member_gives_no_more_than_it_says(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(4_000_000))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="damaged or truncated"):
        read_arrays(tmp_path / "a.npz")


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for read in (read_array, read_arrays):
        with pytest.raises(InputError, match="is a device or a pipe"):
            read("/dev/zero")
        with pytest.raises(InputError, match="is a folder"):
            read(tmp_path)
        with pytest.raises(InputError, match="There is no file"):
            read(tmp_path / "none")
