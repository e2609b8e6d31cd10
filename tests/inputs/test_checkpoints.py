"""PyTorch's files: the same objects as PyTorch reads, and hostile ones refused before they cost anything."""

from __future__ import annotations

import collections
import io
import os
import pickle
import resource
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monoform.errors import InputError
from monoform.inputs import pickles
from monoform.inputs.checkpoints import read_checkpoint
from monoform.nn.state_dict import named_tensors, plain_name, read_state_dict

OLD = {"_use_new_zipfile_serialization": False}
NEW: dict[str, bool] = {}
BOTH = pytest.mark.parametrize("form", [NEW, OLD], ids=["zip", "legacy"])


def content() -> dict[str, Any]:
    base = torch.arange(24.0).reshape(2, 3, 4)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    return {
        "views": (base, base[1], base.transpose(0, 2), base[:, 1:, ::2]),
        "kinds": [torch.ones(3, dtype=kind) for kind in (torch.float16, torch.bfloat16, torch.int64, torch.bool)],
        "odd": [torch.zeros(0, 3), torch.tensor(5), torch.ones(2, dtype=torch.complex64), torch.ones(1).expand(4)],
        "parameter": torch.nn.Parameter(torch.rand(2)),
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "numbers": [1, -5, 1 << 40, 1 << 70, 0.25, True, None, float("inf"), "wörds"],
        "numpy": [np.mean([0.5, 1.5]), np.float32(0.25), np.int64(-7), np.bool_(True), np.arange(6.0).reshape(2, 3)],
        "array": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "containers": [(), [], {}, {3, 4}, {2: {"a": (1, [2])}}, collections.OrderedDict(a=1), torch.Size([2, 3])],
        "dtype": torch.float16,
        "bytes": b"\x00\xff",
    }


def assert_same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, torch.Tensor):
        assert found.dtype == wanted.dtype and found.stride() == wanted.stride()
        torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=0)
    elif isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name])
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted) and isinstance(found, (list, tuple))
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    else:
        assert found == wanted


@BOTH
def test_reads_what_pytorch_wrote(form: dict[str, bool], tmp_path: Path) -> None:
    written = content()
    torch.save(written, tmp_path / "a.pt", **form)
    found = read_checkpoint(tmp_path / "a.pt", "give another")
    assert_same(found, written)
    whole, part = found["views"][:2]
    part[0, 0] = -1
    assert whole[1, 0, 0] == -1  # shared numbers stay shared


def test_reads_files_without_check_sums_and_finds_damage_where_there_are_some(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(torch.arange(4.0), tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_checkpoint(tmp_path / "a.pt", "give another").tolist() == [0, 1, 2, 3]
    torch.save(torch.arange(4.0), tmp_path / "b.pt")
    data = bytearray((tmp_path / "b.pt").read_bytes())
    data[data.index(struct.pack("<4f", 0, 1, 2, 3)) + 5] ^= 1
    (tmp_path / "b.pt").write_bytes(data)
    with pytest.raises(InputError, match="CRC"):
        read_checkpoint(tmp_path / "b.pt", "give another")


def test_names_of_wrappers_are_left_out_wherever_they_stand(tmp_path: Path) -> None:
    for name in ("module.a.w", "_orig_mod.a.w", "_orig_mod.module.a.w", "module._orig_mod.a.w", "a._orig_mod.w"):
        assert plain_name(name) == "a.w"
        torch.save({name: torch.ones(2)}, tmp_path / "a.pt")
        assert list(read_state_dict(tmp_path / "a.pt", "give another")) == ["a.w"]
    assert plain_name("a.module.w") == "a.module.w"
    with pytest.raises(InputError, match="two tensors of one name"):
        named_tensors({"a": torch.ones(1), "module.a": torch.ones(1)}, "x", "give another")


class Call:
    """A pickle that calls."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self.function, self.arguments


def proto(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()


ENCODE = named("_codecs", "encode") + b"q\x00" + text("x" * 1_000_000) + b"q\x01" + text("latin1") + b"q\x02" + b"0" * 3
STORAGE = b"(" + text("storage") + named("torch", "FloatStorage") + text("0") + text("cpu")
REBUILD = named("torch._utils", "_rebuild_tensor_v2")
TAIL = b"\x89}t"  # no gradient, no hooks

HOSTILE: dict[str, bytes] = {
    "calls": pickle.dumps(Call(os.system, "touch hacked"), 2),
    "makes a bytearray of 6 GB": proto(named("__builtin__", "bytearray") + b"\x8a\x05\x00\xbc\xa0\x65\x01\x85R"),
    "makes bytes of 6 GB": proto(named("__builtin__", "bytes") + b"\x8a\x05\x00\xbc\xa0\x65\x01\x85R"),
    "makes the same bytes again": proto(
        b"]" + ENCODE.replace(b"000", b"") + b"R" * 0 + b"000(" + b"h\x00h\x01h\x02\x86R" * 500 + b"e"
    ),
    "asks for a huge memo": proto(b"Nr\xff\xff\xff\x7fh\x07"),
    "announces words of 8 EB": proto(b"\x8d" + b"\xff" * 7 + b"\x7f"),
    "announces a number of 2 GB": proto(b"\x8b\xff\xff\xff\x7f"),
    "nests tuples": proto(b")" + b"\x85" * 5_000),
    "nests lists": proto(b"]" * 5_000 + b"a" * 4_999),
    "holds itself": proto(b"]q\x00h\x00a"),
    "has a key of tuples": proto(b"}" + b")" + b"\x85" * 5_000 + b"Ns"),
    "has too many steps": proto(b"N0" * 10_000 + b"N"),
    "has no end": b"\x80\x02]",
    "takes from an empty stack": proto(b"0"),
    "sets the state of a list": proto(b"]}b"),
    "has a tensor beyond its storage": proto(
        REBUILD + b"(" + STORAGE + b"K\x04tQK\x00" + b"K\x05\x85" + b"K\x01\x85" + TAIL + b"R"
    ),
    "has a tensor of repeated numbers": proto(
        REBUILD + b"(" + STORAGE + b"K\x04tQK\x00" + b"J\xff\xff\xff\x7f\x85" + b"K\x00\x85" + TAIL + b"R"
    ),
    "has a storage beyond its record": proto(
        REBUILD + b"(" + STORAGE + b"J\xff\xff\xff\x7ftQK\x00" + b"K\x05\x85" + b"K\x01\x85" + TAIL + b"R"
    ),
    "has a negative stride": proto(
        REBUILD + b"(" + STORAGE + b"K\x04tQK\x03" + b"K\x04\x85" + b"J\xff\xff\xff\xff\x85" + TAIL + b"R"
    ),
    "has an empty tensor of a huge shape": proto(
        REBUILD + b"(" + STORAGE + b"K\x04tQK\x00" + b"K\x00J\xff\xff\xff\x7f\x86" + b"K\x01K\x01\x86" + TAIL + b"R"
    ),
    "has a huge array": proto(
        named("numpy._core.multiarray", "_reconstruct")
        + named("numpy", "ndarray")
        + b"K\x00\x85"
        + text("b")
        + b"\x87R"
        + b"(K\x01J\xff\xff\xff\x7f\x85"
        + named("numpy", "dtype")
        + text("f8")
        + b"\x85R"
        + b"\x89"
        + text("")
        + b"tb"
    ),
    "has an array of objects": pickle.dumps(np.array([None, []], dtype=object), 2),
    "is no pickle": b"hello",
    "is empty": b"",
}


def archive_of(pickled: bytes, path: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/data/0", struct.pack("<4f", 1, 2, 3, 4))
        archive.writestr("a/version", "3")
    return path


def legacy_of(pickled: bytes, path: Path) -> Path:
    start = b"".join(pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    path.write_bytes(start + pickled + pickle.dumps(["0"], 2) + struct.pack("<q4f", 4, 1, 2, 3, 4))
    return path


def test_the_frame_of_hostile_files_holds_good_ones(tmp_path: Path) -> None:
    good = proto(REBUILD + b"(" + STORAGE + b"K\x04tQK\x00" + b"K\x04\x85" + b"K\x01\x85" + TAIL + b"R")
    for path in (archive_of(good, tmp_path / "a.pt"), legacy_of(good, tmp_path / "b.pt")):
        assert read_checkpoint(path, "give another").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("form", [archive_of, legacy_of], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_stay_inert_and_cheap(
    name: str, form: Callable[[bytes, Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickles, "MAX_STEPS", 15_000)
    path = form(HOSTILE[name], tmp_path / "bad.pt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"bad\.pt cannot be read, it is damaged or truncated .*: give another\.$"):
            read_checkpoint(path, "give another")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300e6 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert os.listdir(tmp_path) == ["bad.pt"]


def test_records_that_unfold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, 2))
        archive.writestr("a/data/0", bytes(50_000_000))
    with pytest.raises(InputError, match="unfolds to 50 MB"):
        read_checkpoint(path, "give another")
    with pytest.raises(InputError, match="compressed"):
        read_checkpoint(archive_of(pickle.dumps({}, 2), tmp_path / "c.pt", zipfile.ZIP_DEFLATED), "give another")


def test_a_list_of_members_without_end_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/data.pkl", b"")
    start = data.getvalue()
    entry = start[start.index(b"PK\x01\x02") : start.index(b"PK\x05\x06")]
    entries = entry * 200_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(entries), start.index(b"PK\x01\x02"), 0)
    (tmp_path / "a.pt").write_bytes(start[: start.index(b"PK\x01\x02")] + entries + end)
    with pytest.raises(InputError, match="list of members is too long"):
        read_checkpoint(tmp_path / "a.pt", "give another")


@BOTH
def test_every_damaged_byte_is_read_or_refused_with_a_sentence(form: dict[str, bool], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(3.0), "loss": np.float64(0.5)}, buffer, **form)
    whole, refused = buffer.getvalue(), 0
    for place in range(0, len(whole), 7):
        for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            (tmp_path / "a.pt").write_bytes(data)
            try:
                read_checkpoint(tmp_path / "a.pt", "give another")
            except InputError:
                refused += 1
    assert refused > len(whole) / 14


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(1_000_000), tmp_path / "a.pt")
    for path, words in (("/dev/zero", "device"), (tmp_path, "folder"), (tmp_path / "b", "There is no file")):
        with pytest.raises(InputError, match=words):
            read_checkpoint(path, "give another")
    with pytest.raises(InputError, match="far more"):
        read_checkpoint(tmp_path / "a.pt", "give another", largest=1_000_000)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"a\.pt is empty \(zero bytes\): give another\."),
        (b"hello", r"its pickle takes what was never put\): give another\."),  # "h" takes from the memo
        (b"\x80\x02e.", r"its pickle takes what was never put\): give another\."),
    ],
)
def test_files_without_a_pickle_are_refused_in_words(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_checkpoint(tmp_path / "a.pt", "give another")


def test_kinds_of_numbers_that_are_not_computed_with_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {"a": torch.ones(4).to(torch.float8_e4m3fn)}
    torch.save(state, tmp_path / "a.pt")
    save_file(state, tmp_path / "a.safetensors")
    for name in ("a.pt", "a.safetensors"):
        with pytest.raises(InputError, match="float8_e4m3fn, which is no"):
            read_state_dict(tmp_path / name, "give another")


def test_heads_of_safetensors_are_compared_with_their_files(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for data in (
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 1 << 40) + b"{}",
        struct.pack("<Q", 9 << 20) + b" " * (9 << 20),
        struct.pack("<Q", 70) + b'{"a":{"dtype":"F32","shape":[4000000000],"data_offsets":[0,16000000000]}}',
        struct.pack("<Q", 4) + b"null",
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match="cannot be read, it is damaged or truncated"):
            read_state_dict(path, "give another")
