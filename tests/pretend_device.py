"""A second device without a second device: tensors that say they are on "meta", and hold their numbers all the same.

While `pretend_device()` is entered, what is moved to the device "meta" computes real numbers, its tensors may not be
mixed with those of the CPU, nor be read by numpy, until they are moved back: what a GPU would refuse, this refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_iter, tree_map

HERE, THERE = torch.device("cpu"), torch.device("meta")
_aten = torch.ops.aten
_MOVES = (_aten._to_copy.default, _aten.copy_.default)
_PLACES_OF_INDICES = (
    _aten.index.Tensor,
    _aten.index_put_.default,
    _aten.index_put.default,
    _aten._index_put_impl_.default,
)


class Elsewhere(Tensor):
    """A tensor of the pretended device; `inner` holds its numbers."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        like = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        made = Tensor._make_wrapper_subclass(cls, inner.shape, device=THERE, **like)  # type: ignore[attr-defined]
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class _Data(TorchFunctionMode):
    """Tensors of Python's numbers, which torch makes without asking the other mode."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is Tensor.new_tensor and isinstance(args[0], Elsewhere):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(THERE)
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") == THERE:
            return function(*args, **kwargs | {"device": HERE}).to(THERE)
        return function(*args, **kwargs)


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [item for item in tree_iter((args, kwargs)) if isinstance(item, Tensor)]
    away = [item for item in tensors if isinstance(item, Elsewhere)]
    # As on a GPU: numbers alone, and indices of what is there, may be the CPU's.
    home = [item for item in tensors if not isinstance(item, Elsewhere) and item.ndim > 0]
    if function in _PLACES_OF_INDICES and isinstance(args[0], Elsewhere):
        home = []
    if away and home and function not in _MOVES:
        raise RuntimeError(f"{function}: tensors are on two devices.")
    asked = kwargs.get("device")
    if asked is not None:
        kwargs = kwargs | {"device": HERE}
    out = function(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if function is _aten.copy_.default:
        return args[0]
    if not (bool(away) if asked is None else torch.device(asked) == THERE):
        return out
    wrapped = tree_map(lambda item: Elsewhere(item) if isinstance(item, Tensor) else item, out)
    return return_and_correct_aliasing(function, args, kwargs, wrapped) if away else wrapped


def _inner(item: Any) -> Any:
    return item.inner if isinstance(item, Elsewhere) else item


@contextmanager
def pretend_device() -> Iterator[torch.device]:
    """Compute on the pretended device meanwhile; its name."""
    with _Mode(), _Data():
        yield THERE


def numbers(value: Tensor) -> Tensor:
    """What a tensor of the pretended device holds."""
    return _inner(value)


def asked_for(words: list[str]) -> Callable[[str], torch.device]:
    """A stand-in for `device_named` that notes the words and gives the pretended device."""

    def named(word: str) -> torch.device:
        words.append(word)
        return THERE

    return named
