"""Networks filled from the user's weight files, with one sentence for every file that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def read_state_dict(file: str | Path, advice: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a PyTorch file that holds nothing but tensors by name.

    Args:
        advice: what the user should give instead, the end of the sentence of an error.

    Raises:
        InputError: the file is missing, cannot be read, or holds something else.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"There is no file {file}; {advice}.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # readers of damaged files raise whatever they stumble over
        raise InputError(f"{file} cannot be read as weights; {advice}.") from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{file} holds something else than tensors by name; {advice}.")
    return {str(name): tensor for name, tensor in state.items()}


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


def read_checkpoint(file: str | Path, advice: str, *, largest: int) -> Any:
    """What `torch.save` wrote, of nothing but tensors, numbers, words and containers of them.

    Args:
        advice: what the user should give instead, the end of the sentence of an error.
        largest: bytes; a file beyond is not read.

    Raises:
        InputError: the file is missing, far too large, or cannot be read.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"There is no checkpoint {file}: {advice}.")
    if file.stat().st_size > largest:
        raise InputError(f"{file} has {file.stat().st_size >> 20} MB, far more than such a checkpoint: {advice}.")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and hostile files make the reader raise whatever they stumble over
        raise InputError(f"{file} cannot be read, it is truncated or no checkpoint of tensors: {advice}.") from error


def named_tensors(state: Any, source: str | Path, advice: str) -> dict[str, Tensor]:
    """A state dict, without the prefix that training on several devices puts before its names.

    Raises:
        InputError: it is none.
    """
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{source} holds a {type(state).__name__} and no state dict: {advice}.")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()):
        raise InputError(f"{source} holds more than named tensors: {advice}.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def is_counter(name: str) -> bool:
    """Whether a tensor counts batches, which no network's output depends on and old files lack."""
    return name.endswith("num_batches_tracked")


def fill(
    wanted: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    source: str,
    advice: str,
    *,
    may_be_left_out: Callable[[str], bool] = lambda name: False,
) -> None:
    """Copy a file's tensors into a network's state dict, once all of them have proved to fit.

    Args:
        source: the file and what it should fit, as in "x.pt does not fit srn_car".
        may_be_left_out: tells tensors of the file that the network has no place for, and does not need.

    Raises:
        InputError: a tensor is missing (counters of batches may), is one too many, has another shape or another kind of
            numbers, or is not finite.
    """
    missing = [name for name in wanted if name not in found and not is_counter(name)]
    if missing:
        raise InputError(f"{source}, it lacks {len(missing)} tensors like {missing[0]!r}: {advice}.")
    extra = [name for name in found if name not in wanted and not may_be_left_out(name)]
    if extra:
        raise InputError(f"{source}, it has {len(extra)} more tensors like {extra[0]!r}: {advice}.")
    shared = [name for name in wanted if name in found]
    for name in shared:
        tensor, place = found[name], wanted[name]
        if tensor.shape != place.shape:
            shapes = f"{tuple(tensor.shape)} and not {tuple(place.shape)}"
            raise InputError(f"{source}, its {name!r} is {shapes}: {advice}.")
        if tensor.is_floating_point() != place.is_floating_point() or tensor.is_complex():
            raise InputError(f"{source}, it is damaged: {name!r} holds {tensor.dtype}; get the file again.")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{source}, it is damaged: {name!r} holds values that are not finite; get the file again.")
    with torch.no_grad():
        for name in shared:
            wanted[name].copy_(found[name])
