"""Networks filled from the user's weight files, with one sentence for every file that does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
