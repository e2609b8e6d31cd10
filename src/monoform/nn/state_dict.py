"""Networks filled from the user's weight files, with one sentence for every file that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..inputs.checkpoints import read_checkpoint
from ..inputs.tensors import read_tensors

State = Mapping[str, Tensor]
Names = Callable[[str], bool]


def read_state_dict(file: str | Path, advice: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a PyTorch file that holds nothing but tensors by name.

    Args:
        advice: what the user should give instead, the end of the sentence of an error.

    Raises:
        InputError: the file is missing, cannot be read, or holds something else.
    """
    if Path(file).suffix == ".safetensors":
        return read_tensors(file, advice, missing=advice)
    return named_tensors(read_checkpoint(file, advice), file, advice)


def tensor_of(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...], file: str | Path, advice: str) -> Tensor:
    """One tensor in float32, checked.

    Raises:
        InputError: it is missing, has another shape, or is not finite.
    """
    if name not in state:
        raise InputError(f"{file} has no tensor {name!r}; {advice}.")
    tensor = state[name]
    if tuple(tensor.shape) != shape:
        raise InputError(f"{file} has {name!r} of shape {tuple(tensor.shape)} and not {shape}; {advice}.")
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"{file} is damaged, its {name!r} is not finite; {advice}.")
    return tensor.float()


def named_tensors(state: Any, source: str | Path, advice: str) -> dict[str, Tensor]:
    """A state dict, without what training on several devices and compiling put into its names.

    Raises:
        InputError: it is none, or two of its names become one.
    """
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{source} holds a {type(state).__name__} and no state dict: {advice}.")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()):
        raise InputError(f"{source} holds more than named tensors: {advice}.")
    named = {plain_name(name): tensor for name, tensor in state.items()}
    if len(named) < len(state):
        raise InputError(f"{source} has two tensors of one name, with and without a wrapper's prefix: {advice}.")
    return named


def plain_name(name: str) -> str:
    """A tensor's name as its network has it, without the names of wrappers: `module` in front, `_orig_mod` anywhere.

    >>> plain_name("_orig_mod.module.encoder._orig_mod.conv.weight")
    'encoder.conv.weight'
    """
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while len(parts) > 1 and parts[0] == "module":
        del parts[0]
    return ".".join(parts)


def is_counter(name: str) -> bool:
    """Whether a tensor counts batches, which no network's output depends on and old files lack."""
    return name.endswith("num_batches_tracked")


def _none(name: str) -> bool:
    del name
    return False


def fill(wanted: State, found: State, source: str, advice: str, *, may_be_left_out: Names = _none) -> None:
    """Copy a file's tensors into a network's state dict, once all of them have proved to fit.

    Args:
        source: the file and what it should fit, as in "x.pt does not fit srn_car".
        may_be_left_out: tells tensors of the file that the network has no place for, and does not need.

    Raises:
        InputError: as `require_fit`, or a tensor has another kind of numbers, or is not finite.
    """
    require_fit(wanted, found, source, advice, may_be_left_out=may_be_left_out)
    shared = [name for name in wanted if name in found]
    for name in shared:
        tensor, place = found[name], wanted[name]
        if tensor.is_floating_point() != place.is_floating_point() or tensor.is_complex():
            raise InputError(f"{source}, it is damaged: {name!r} holds {tensor.dtype}; get the file again.")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{source}, it is damaged: {name!r} holds values that are not finite; get the file again.")
    with torch.no_grad():
        for name in shared:
            wanted[name].copy_(found[name])


def require_fit(wanted: State, found: State, source: str, advice: str, *, may_be_left_out: Names = _none) -> None:
    """Compare names and shapes of a file's tensors with those of a network, which may be on the device "meta": so that
    a network is made only once a file is known to hold as much.

    Raises:
        InputError: a tensor is missing (counters of batches may), is one too many, or has another shape.
    """
    missing = [name for name in wanted if name not in found and not is_counter(name)]
    if missing:
        raise InputError(f"{source}, it lacks {len(missing)} tensors like {missing[0]!r}: {advice}.")
    extra = [name for name in found if name not in wanted and not may_be_left_out(name)]
    if extra:
        raise InputError(f"{source}, it has {len(extra)} more tensors like {extra[0]!r}: {advice}.")
    for name in (name for name in wanted if name in found):
        if found[name].shape != wanted[name].shape:
            shapes = f"{tuple(found[name].shape)} and not {tuple(wanted[name].shape)}"
            raise InputError(f"{source}, its {name!r} is {shapes}: {advice}.")
