"""The names that a checkpoint may hold, and what each makes: tensors of its storages, NumPy's numbers, containers.

Nothing made is larger than the bytes behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .pickles import Maker, as_key

MAX_DIMENSIONS = 25
SMALL = 1 << 16  # elements that a tensor may have beyond those of its storage, as `expand` leaves them
_NUMBERS = re.compile(r"[<|=]?([biuf][1248]|c8|c16|[SU]\d{1,6})")
_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexDouble": torch.complex128,
    "ComplexFloat": torch.complex64,
}
KINDS = frozenset((*_STORAGES.values(), torch.uint16, torch.uint32, torch.uint64))
"""Kinds of numbers that are computed with; those of eight bits and fewer that PyTorch only keeps are none."""


@dataclass(frozen=True)
class Storage:
    """Numbers that tensors share: their kind (bytes where the tensors tell it), how many they are, and their bytes."""

    kind: torch.dtype
    count: int
    data: Tensor


@dataclass(frozen=True)
class StorageKind:
    """The class of a storage, as a checkpoint names it."""

    dtype: torch.dtype


def storage_of(identifier: Any) -> tuple[str, torch.dtype, int]:
    """Key, kind and count of the storage that a persistent identifier stands for.

    Raises:
        ValueError: it is no identifier of a storage.
    """
    word, kind, key, _, count, *rest = identifier[:7]
    if word != "storage" or not isinstance(kind, StorageKind) or any(each is not None for each in rest):
        raise ValueError("it refers to something else than a storage")
    if not isinstance(key, (str, int)):
        raise ValueError("it has a storage without a name")
    return str(key), kind.dtype, _whole(count)


def allowed_names(spend: Callable[[int], None], room: int) -> Mapping[str, Any]:
    """The table of names.

    Args:
        spend: is told how many things a maker makes of one.
        room: bytes that words turned into bytes may have together, and arrays as well.
    """
    left = {"words": room, "arrays": room}

    def take(what: str, count: int) -> None:
        left[what] -= count
        if left[what] < 0:
            raise ValueError("it makes more bytes than it holds")

    def from_words(text: Any = "", encoding: str = "latin1") -> bytes:
        """Bytes from the words in which pickles of protocol 2 hold them."""
        take("words", len(text))
        if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
            raise ValueError("it has bytes in another code")
        return text.encode("latin1")

    def fill_array(array: Any, state: Any) -> None:
        take("arrays", len(state[4]))
        _fill_array(array, state)

    def counted(items: Any) -> Any:
        spend(len(items))
        return items

    def ordered(items: Any = ()) -> dict[Any, Any]:
        return {as_key(key): value for key, value in counted(items.items() if isinstance(items, dict) else items)}

    def default(factory: Any = None, items: Any = ()) -> dict[Any, Any]:
        return ordered(items)

    names: dict[str, Any] = {
        "collections OrderedDict": Maker(ordered, _without_state),
        "collections defaultdict": Maker(default),
        "collections Counter": Maker(ordered),
        "torch._utils _rebuild_tensor_v2": Maker(_tensor),
        "torch._utils _rebuild_tensor_v3": Maker(_tensor_of_kind),
        "torch._utils _rebuild_parameter": Maker(_parameter),
        "torch._utils _rebuild_parameter_with_state": Maker(_parameter),
        "torch._tensor _rebuild_from_type_v2": Maker(_from_type),
        "torch Tensor": None,
        "torch.nn.parameter Parameter": None,
        "torch Size": Maker(lambda sizes=(): tuple(map(_whole, counted(sizes)))),
        "torch device": Maker(lambda *words: ":".join(_short(word) for word in words[:2])),
        "torch.storage UntypedStorage": StorageKind(torch.uint8),
        "_codecs encode": Maker(from_words),
        "numpy ndarray": None,
        "numpy dtype": Maker(_number_kind, _in_order),
    }
    for python in ("builtins", "__builtin__"):
        names[f"{python} set"] = Maker(lambda items=(): set(map(as_key, counted(items))))
        names[f"{python} complex"] = Maker(lambda real, imaginary: complex(float(real), float(imaginary)))
        names[f"{python} bytes"] = Maker(from_words)
        for kind in ("int", "float", "list", "dict"):  # factories of a defaultdict
            names[f"{python} {kind}"] = None
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray scalar"] = Maker(_number)
        names[f"{core}.multiarray _reconstruct"] = Maker(lambda *_: np.empty(0), fill_array)
    names |= {f"torch {name}Storage": StorageKind(kind) for name, kind in _STORAGES.items()}
    names |= {f"torch {str(kind)[6:]}": kind for kind in KINDS}
    return names


def _short(word: Any) -> str:
    """A word or a number; a container in its place would be written out in full."""
    if not isinstance(word, (str, int)):
        raise ValueError("it has something else in the place of a word")
    return str(word)[:20]


def _lengths(sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, (tuple, list)) or len(sizes) > MAX_DIMENSIONS:
        raise ValueError(f"it has a shape that is none, or has more than {MAX_DIMENSIONS} dimensions")
    return tuple(map(_whole, sizes))


def _whole(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 1 << 48:
        raise ValueError("it has a size that is none")
    return number


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    return _view(storage, storage.kind, offset, size, stride)


def _tensor_of_kind(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
    return _view(storage, rest[2], offset, size, stride)


def _view(storage: Any, kind: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    """A tensor of a storage, once all of it is known to lie inside."""
    if not isinstance(storage, Storage) or not isinstance(kind, torch.dtype):
        raise ValueError("it has a tensor without numbers")
    size, stride = _lengths(size), _lengths(stride)
    if len(size) != len(stride):
        raise ValueError(f"it has a tensor of {len(size)} dimensions and {len(stride)} strides")
    available = storage.count * storage.kind.itemsize // kind.itemsize
    count = 1
    for length in size:
        count *= length
    if count:
        last = _whole(offset) + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if last >= available or count > available + SMALL:
            raise ValueError("it has a tensor that is larger than its storage")
        return torch.as_strided(storage.data[: available * kind.itemsize].view(kind), size, stride, offset)
    if any(length > SMALL for length in size):
        raise ValueError("it has an empty tensor of a huge shape")
    return torch.empty(size, dtype=kind)


def _parameter(tensor: Any, *_: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise ValueError("it has a parameter that is no tensor")
    return tensor


def _from_type(maker: Any, _kind: Any, arguments: Any, _state: Any) -> Tensor:
    if not isinstance(maker, Maker) or maker.make not in (_tensor, _tensor_of_kind, _parameter):
        raise ValueError("it has a tensor that something else makes")
    return maker.make(*arguments)


def _without_state(_made: Any, _state: Any) -> None:
    """Attributes of containers are of no use here."""


def _in_order(_made: Any, state: Any) -> None:
    if state[1] not in ("<", "|", "="):
        raise ValueError("it has NumPy's numbers in another byte order")


def _number_kind(name: Any, *_: Any) -> np.dtype:
    if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
        raise ValueError(f"it has NumPy's kind {_short(name)!r}, which is no number")
    return np.dtype(name)


def _number(kind: Any, data: Any) -> Any:
    """NumPy's scalar, as Python's."""
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise ValueError("it has a NumPy number without its bytes")
    return np.frombuffer(data, kind)[0].item()


def _fill_array(array: Any, state: Any) -> None:
    _, shape, kind, fortran, data = state
    size = kind.itemsize if isinstance(kind, np.dtype) else 0
    for length in _lengths(shape):
        size *= length
    if isinstance(data, str):  # as pickles of Python 2 hold bytes
        data = data.encode("latin1")
    if not isinstance(data, bytes) or len(data) != size:
        raise ValueError("it has a NumPy array without its bytes")
    array.__setstate__((1, tuple(shape), kind, bool(fortran), data))
