"""Pickled networks: the tensors that PyTorch has, and hostile or damaged files refused before they cost anything."""

from __future__ import annotations

import builtins
import collections
import io
import os
import pickle
import random
import re
import resource
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.snapshots import SOURCE, EasyDict, Plain, published_names, reconstruct  # noqa: F401  a fixture
from torch import nn

from monoform.errors import InputError
from monoform.inputs import pickles
from monoform.inputs.pickled_modules import PickledObject, read_pickle, read_pickled_modules, state_dict_of


class Persistent(nn.Module):
    """A module that is pickled with the source of its class, in the form of published snapshots."""

    def __init__(self, *parts: nn.Module, **kwargs: Any) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.weight = nn.Parameter(torch.rand(2, 3))
        self.register_buffer("mean", torch.rand(3))
        self.register_buffer("passing", torch.rand(3), persistent=False)
        self._init_kwargs = EasyDict(kwargs)

    def __reduce__(self) -> tuple[Callable, tuple]:
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Persistent"}
        return reconstruct, ({**meta, "state": dict(vars(self))},)


def snapshot(protocol: int = 4) -> tuple[bytes, Persistent]:
    net = Persistent(Persistent(gain=np.float64(0.5)), nn.Sequential(nn.Linear(2, 3), nn.Softplus()))
    net.marcher = Plain(axes=torch.eye(3))
    for hook in ("_forward_hooks", "_backward_hooks"):  # as older versions of PyTorch have them
        vars(net)[hook] = collections.OrderedDict()
    device = {"device": torch.device("cuda:1"), "size": torch.Size([2]), "kind": torch.float16, "nothing": None}
    return pickle.dumps({"training_set_kwargs": {"path": "x"}, "G": net, "also": device}, protocol), net


def read(data: bytes, place: Path) -> Any:
    (place / "bad.pkl").write_bytes(data)
    return read_pickled_modules(place / "bad.pkl", "give another")


@pytest.mark.usefixtures("published_names")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_network_becomes_its_tensors_and_no_source_is_run(protocol: int, tmp_path: Path) -> None:
    data, net = snapshot(protocol)
    code = (
        "import sys, pathlib; from monoform.inputs.pickled_modules import *;"
        "found = read_pickled_modules(sys.argv[1], 'x'); state_dict_of(found['G']);"
        "assert not {'training', 'torch_utils', 'dnnlib'} & set(sys.modules)"
    )
    (tmp_path / "a.pkl").write_bytes(data)
    subprocess.run([sys.executable, "-c", code, "a.pkl"], check=True, cwd=tmp_path)
    assert os.listdir(tmp_path) == ["a.pkl"]
    found = read_pickled_modules(tmp_path / "a.pkl", "give another")
    state, wanted = state_dict_of(found["G"]), net.state_dict()
    assert set(state) == set(wanted) and "parts.0.weight" in state and "passing" not in state
    for name, tensor in wanted.items():
        assert torch.equal(state[name], tensor), name
    inner = found["G"]["_modules"]["parts"]["_modules"]["0"]
    assert inner.kind == "Persistent" and inner["_init_kwargs"] == {"gain": 0.5}
    marcher = found["G"]["marcher"]
    assert marcher.kind == "ImportanceRenderer" and torch.equal(marcher["axes"], torch.eye(3))
    assert found["also"] == {"device": "cuda:1", "size": (2,), "kind": torch.float16, "nothing": None}


def test_storages_of_a_gpu_come_to_the_processor(tmp_path: Path) -> None:
    data = stored(torch.arange(3.0)).replace(b"\x03\x00\x00\x00cpu", b"\x06\x00\x00\x00cuda:7")
    assert b"cuda:7" in data
    assert read(called("torch.storage", "_load_from_bytes", blob(data)), tmp_path).count == 3


def stored(tensor: torch.Tensor) -> bytes:
    """What `torch.save` makes of a tensor's storage, in its format before zip files."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this kind of storage is the one of published files
        torch.save(tensor.storage(), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def proto(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def stacked(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()


def blob(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def called(module: str, name: str, *arguments: bytes) -> bytes:
    return proto(named(module, name) + b"(" + b"".join(arguments) + b"tR")


def persistent(**fields: bytes) -> bytes:
    whole = {"type": text("class"), "version": b"K\x06", "module_src": text(SOURCE), "class_name": text("A")}
    whole |= {"state": b"}"} | fields
    items = b"".join(text(name) + value for name, value in whole.items())
    return named("torch_utils.persistence", "_reconstruct_persistent_obj") + b"}(" + items + b"u\x85R"


class Call:
    """A pickle that calls."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self.function, self.arguments


def storage(size: int, claimed: int | None = None) -> bytes:
    """A storage of bytes, or one that claims more."""
    data = stored(torch.zeros(size, dtype=torch.uint8))
    return data if claimed is None else data.replace(b"K" + bytes([size]), b"\x8a\x05" + struct.pack("<q", claimed)[:5])


TWICE = (b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(50))
DOUBLED = b"]q\x00" + b"".join(TWICE)
LOAD = named("torch.storage", "_load_from_bytes")

HOSTILE: dict[str, bytes] = {
    "calls the system": pickle.dumps(Call(os.system, "touch hacked"), 4),
    "evaluates": pickle.dumps(Call(builtins.eval, "open('hacked', 'w')"), 4),
    "executes": pickle.dumps(Call(builtins.exec, "open('hacked', 'w')"), 2),
    "starts a process": pickle.dumps(Call(subprocess.Popen, ["touch", "hacked"]), 4),
    "asks a hub": called("torch.hub", "load", text("a/b"), text("c")),
    "imports": called("builtins", "__import__", text("antigravity")),
    "takes an attribute": called("builtins", "getattr", named("torch", "Tensor"), text("__init__")),
    "loads another pickle": called("pickle", "loads", blob(pickle.dumps(Call(os.system, "touch hacked")))),
    "loads with torch": called("torch.serialization", "load", text("x")),
    "calls inside a storage": called(
        "torch.storage", "_load_from_bytes", blob(pickle.dumps(Call(os.system, "touch hacked"), 2))
    ),
    "calls inside a state": proto(persistent(state=pickle.dumps(Call(os.system, "touch hacked"), 2)[2:-1])),
    "has a dotted name": proto(stacked("training.networks", "Layer.__init__.__globals__") + b")R"),
    "has a dotted name in an allowed room": proto(stacked("torch.nn.modules", "module.torch.os.system") + b")R"),
    "has a name with a line": proto(stacked("training.x", "Layer\nos") + b")R"),
    "has a room with a space": proto(stacked("training os", "system") + b")R"),
    "has a room like an allowed one": proto(stacked("training_os", "system") + b")R"),
    "has a room above an allowed one": proto(stacked("torch.nn", "Module") + b")R"),
    "names with a number": proto(text("os") + b"K\x01\x93"),
    "names with doubled lists": proto(DOUBLED + b"h\x32\x93"),
    "names a device with doubled lists": proto(DOUBLED + named("torch", "device") + b"h\x32\x85R"),
    "is of another version": proto(persistent(version=b"K\x07")),
    "has no class": proto(persistent(class_name=b"N")),
    "has a class with a dot": proto(persistent(class_name=text("os.system"))),
    "has a state of words": proto(persistent(state=text("x"))),
    "claims 10 GB of bytes": proto(b"\x8e" + struct.pack("<Q", 10_000_000_000) + b"x"),
    "claims 10 GB of words": proto(b"\x8d" + struct.pack("<Q", 10_000_000_000) + b"x"),
    "claims 2 GB of a number": proto(b"\x8b" + struct.pack("<I", 2_000_000_000)),
    "claims a storage of 10 GB": called("torch.storage", "_load_from_bytes", blob(storage(77, 10_000_000_000))),
    "loads one storage again and again": proto(
        LOAD + b"q\x00" + blob(storage(1_000_000)) + b"\x85q\x01" + b"(" + b"h\x00h\x01R" * 4_000 + b"t"
    ),
    "fills an object again and again": proto(
        b"}("
        + b"".join(b"M" + struct.pack("<H", n) + b"N" for n in range(4_000))
        + b"uq\x00"
        + named("training.a", "B")
        + b")R"
        + b"h\x00b" * 4_000
    ),
    "nests lists": proto(b"]" * 6_000 + b"a" * 5_999),
    "nests objects": proto(b"".join([named("training.a", "B") + b")R}" + text("x")] * 200) + b"N" + b"sb" * 200),
    "holds itself": proto(named("training.a", "B") + b")Rq\x00}" + text("x") + b"h\x00sb"),
    "has a line without end": b"c" + b"x" * 200_000,
    "has too many steps": proto(b"N0" * 10_000 + b"N"),
    "sets the state of a tensor kind": proto(named("torch", "Size") + b")R}b"),
    "is a checkpoint of zip": b"PK\x03\x04" + bytes(100),
    "is no pickle": b"hello",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_stay_inert_and_cheap(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickles, "MAX_STEPS", 16_000)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"bad\.pkl cannot be read, it is damaged .*: give another\.$") as error:
            read(HOSTILE[name], tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value) and len(str(error.value)) < 500 + len(str(tmp_path))
    assert time.monotonic() - start < 20
    assert peak < 100e6 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    assert os.listdir(tmp_path) == ["bad.pkl"]


def test_a_module_that_stands_in_many_places_is_refused() -> None:
    def module(**parts: Any) -> PickledObject:
        return PickledObject(_parameters={}, _buffers={}, _modules=parts)

    net = module()
    for _ in range(40):
        net = module(a=net, b=net)
    with pytest.raises(ValueError, match="more than"):
        state_dict_of(net)
    for bad in (
        module(a=3),
        {"_parameters": {}},
        None,
        PickledObject(_parameters={"w": [1.0]}, _buffers={}, _modules={}),
    ):
        with pytest.raises(ValueError, match=r"no module|no tensor"):
            state_dict_of(bad)


@pytest.mark.usefixtures("published_names")
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    data, _ = snapshot()
    for length in [*range(60), *range(60, len(data), 173), len(data) - 1]:
        with pytest.raises(InputError):
            read(data[:length], tmp_path)


@pytest.mark.usefixtures("published_names")
def test_damaged_bytes_are_read_or_refused_with_a_sentence(tmp_path: Path) -> None:
    data, _ = snapshot()
    draw, refused = random.Random(0), 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
        try:
            state_dict_of(read(bytes(damaged), tmp_path)["G"])
        except (InputError, ValueError, KeyError, TypeError) as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 25 and os.listdir(tmp_path) == ["bad.pkl"]


def test_arrays_of_old_pythons_are_read_and_objects_refused() -> None:
    kind = named("numpy", "dtype") + b"(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray") + b"K\x00\x85U\x01b\x87R"
    array += b"(K\x01K\x02K\x03\x86" + kind + b"\x89U\x06\x00\x01\x02\x7f\xfe\xfftb"
    old = b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x03K\x04eu."
    found = read_pickle(old, "x", "give another")
    assert found["data"].tolist() == [[0, 1, 2], [127, 254, 255]] and found["labels"] == [3, 4]
    assert pickle.loads(old, encoding="latin1")["data"].tolist() == found["data"].tolist()
    for bad in (pickle.dumps(Call(os.system, "x"), 2), named("training.a", "B") + b")R.", old[:-30]):
        with pytest.raises(InputError, match="x cannot be read"):
            read_pickle(bad, "x", "give another")


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pkl").write_bytes(b"")
    empty, missing = tmp_path / "empty.pkl", tmp_path / "b"
    for path, words in (("/dev/zero", "device"), (tmp_path, "folder"), (missing, "There is no file"), (empty, "zero")):
        with pytest.raises(InputError, match=words):
            read_pickled_modules(path, "give another")
    with open(tmp_path / "large.pkl", "wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(InputError, match="far more"):
        read_pickled_modules(tmp_path / "large.pkl", "give another")


PYTHON = re.compile(r"codec|opcode|object|NoneType|has no attribute|Error|dict\b|__|unpack|argument|b'")


@pytest.mark.usefixtures("published_names")
def test_a_damaged_file_is_told_without_words_of_python(tmp_path: Path) -> None:
    data, _ = snapshot()
    draw, told = random.Random(1), set()
    for number in range(30):
        changed = bytearray(data)
        for _ in range(1 + number % 3):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        try:
            read(bytes(changed), tmp_path)
        except InputError as error:
            told.add(str(error).partition("truncated (")[2].rpartition("): ")[0])
    assert len(told) > 3 and not [reason for reason in told if PYTHON.search(reason.partition("it holds ")[0])]
