"""Files that pickle whole networks, objects and all, read without importing or running anything of them.

An object becomes its state and the name of its class; the source code that some files carry is dropped unread.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from ..errors import InputError
from .archives import damaged
from .checkpoint_names import Storage, allowed_names
from .checkpoints import from_stream
from .files import require_regular_file
from .pickles import Maker, Unpickler

LARGEST = 8 << 30
MAX_LINE = 1 << 16  # bytes
MAX_MODULES = 20_000
VERSION = 6  # of the form in which classes carry their source
ROOMS = re.compile(r"(training|torch_utils|dnnlib|neural_renderer|torch\.nn\.modules)(\.[A-Za-z_]\w*)* ([A-Za-z_]\w*)")
_PARTS = ("_parameters", "_buffers", "_modules")


class PickledObject(dict):
    """The state of an object by the names of its attributes.

    Attributes:
        kind: name of its class, without that of its module.
    """

    kind: str = ""


def read_pickled_modules(path: str | Path, advice: str, *, largest: int = LARGEST, missing: str = "") -> Any:
    """The content of a pickle: tensors, arrays, numbers, words, containers, and the state of modules.

    Args:
        advice: what the user should give instead, the end of the sentence of an error.
        largest: bytes; a file beyond is not read.
        missing: what to do where there is none; the same by default.

    Raises:
        InputError: the file is missing, too large, damaged, or names what is neither of these.
    """
    size = require_regular_file(path, advice=missing or advice)
    if not size:
        raise InputError(f"{path} is empty (zero bytes): {advice}.")
    if size > largest:
        raise InputError(f"{path} has {size >> 20} MB, far more than such a file: {advice}.")
    try:
        with open(path, "rb") as file:
            reader = Unpickler({})
            reader.names = _Names(reader, size)
            return reader.read(_Within(file, size))
    except Exception as error:  # bytes that are no pickle make the reader stumble over anything
        raise damaged(path, error, advice) from error


def read_pickle(data: bytes, source: str, advice: str) -> Any:
    """The content of a pickle that holds no objects: arrays, tensors, numbers, words and containers of them.

    Raises:
        InputError: it is damaged or names something else.
    """
    try:
        reader = Unpickler({})
        reader.names = allowed_names(reader.spend, len(data))
        return reader.read(io.BytesIO(data))
    except Exception as error:  # bytes that are no pickle make the reader stumble over anything
        raise damaged(source, error, advice) from error


def state_dict_of(module: Any) -> dict[str, Tensor]:
    """The tensors of a module and of those in it, by the names that its state dict has.

    Raises:
        ValueError: it is no module, a part of it is no tensor, or it has more modules than any network.
    """
    found: dict[str, Tensor] = {}
    waiting = [("", module)]
    for count in itertools.count():
        if not waiting:
            return found
        if count > MAX_MODULES:  # one that stands in many places is counted in each
            raise ValueError(f"it has more than {MAX_MODULES} modules")
        prefix, inner = waiting.pop()
        parameters, buffers, modules = _parts_of(inner, prefix)
        passing = inner.get("_non_persistent_buffers_set") or ()
        kept = {name: tensor for name, tensor in buffers.items() if name not in passing}
        for name, tensor in (parameters | kept).items():
            if tensor is not None and not isinstance(tensor, Tensor):
                raise ValueError(f"its {prefix[-60:]}{str(name)[:20]} is no tensor")
            if tensor is not None:
                found[f"{prefix}{name}"] = tensor
        waiting += [(f"{prefix}{name}.", part) for name, part in modules.items() if part is not None]
    raise AssertionError


def _parts_of(module: Any, prefix: str) -> list[dict[Any, Any]]:
    parts = [module.get(part) for part in _PARTS] if isinstance(module, PickledObject) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError(f"its {prefix.rstrip('.')[-80:] or 'network'} is no module")
    return parts  # type: ignore[return-value]


class _Names(Mapping[str, Any]):
    """The names that such a pickle may hold: those of checkpoints, storages in bytes, and classes of modules."""

    def __init__(self, reader: Unpickler, size: int) -> None:
        self.reader, self.room = reader, size
        self.table = {
            **allowed_names(reader.spend, size),
            "torch.storage _load_from_bytes": Maker(self._storage),
            "torch_utils.persistence _reconstruct_persistent_obj": Maker(self._persistent),
        }
        for place in ("dnnlib", "dnnlib.util"):
            self.table[f"{place} EasyDict"] = Maker(self.table["collections OrderedDict"].make, _fill_dict)

    def __contains__(self, name: object) -> bool:
        return name in self.table or (isinstance(name, str) and ROOMS.fullmatch(name) is not None)

    def __getitem__(self, name: str) -> Any:
        if name not in self.table:
            found = ROOMS.fullmatch(name)
            if found is None:
                raise KeyError(name)
            self.table[name] = Maker(lambda *_: self._object(found[3], {}), self._fill)
        return self.table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def _storage(self, data: Any) -> Storage:
        """A storage from the bytes that `torch.save` made of it, in its format before zip files."""
        if type(data) is not bytes:
            raise ValueError("it has a storage without bytes")
        self.room -= len(data)
        if self.room < 0:
            raise ValueError("its tensors are larger than it")
        content = from_stream(io.BytesIO(data), len(data), self.reader)
        if not isinstance(content, Storage):
            raise ValueError("it has something else in the place of a storage")
        return content

    def _persistent(self, meta: Any) -> PickledObject:
        """An object whose class is given by its source code, which nobody looks at."""
        if not isinstance(meta, dict) or meta.get("type") != "class" or meta.get("version") != VERSION:
            raise ValueError(f"it has an object of another form than version {VERSION}")
        name = meta.get("class_name")
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError("it has an object without the name of its class")
        return self._object(name, meta.get("state"))

    def _object(self, kind: str, state: Any) -> PickledObject:
        made = PickledObject()
        made.kind = kind
        self._fill(made, state)
        return made

    def _fill(self, made: PickledObject, state: Any) -> None:
        if type(state) is not dict:
            raise ValueError("it has an object whose state is no table")
        self.reader.spend(len(state))
        made.update(state)


def _fill_dict(_made: Any, _state: Any) -> None:
    """Attributes of a dictionary are its values, which it has already."""


class _Within(io.IOBase):
    """A file that hands out no more than there is, whatever is asked for, and no line without end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def tell(self) -> int:
        return self.file.tell()

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.size - self.tell():
            raise EOFError(f"{count} bytes should follow and {self.size - self.tell()} do")
        return self.file.read(count)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self.file.readline(MAX_LINE)
