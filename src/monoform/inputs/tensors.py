"""Safetensors files that the user brings: a short head that names the tensors, and their numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .archives import damaged
from .checkpoint_names import KINDS
from .files import require_regular_file

MAX_HEAD = 8 << 20  # bytes; the head of 3000 tensors has some 300 000
ADVICE = "copy it again"


def tensor_shapes(path: str | Path, advice: str = ADVICE, *, missing: str = "check the name") -> dict[str, Tensor]:
    """The names and shapes of a file's tensors, without their numbers (on the device "meta").

    Args:
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.

    Raises:
        InputError: the file is missing, damaged, or no safetensors file.
    """
    from safetensors import safe_open

    size = require_regular_file(path, advice=missing)
    try:
        with open(path, "rb") as file:
            head = int.from_bytes(file.read(8), "little")
        if not 2 <= head <= min(MAX_HEAD, size - 8):
            raise ValueError(f"its head has {head} bytes of {size}")
        with safe_open(path, "pt") as content:
            return {name: torch.empty(content.get_slice(name).get_shape(), device="meta") for name in content.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors, PyTorch and the system each have their own
        raise damaged(path, error, advice) from error


def read_tensors(path: str | Path, advice: str = ADVICE, *, missing: str = "check the name") -> dict[str, Tensor]:
    """The tensors of a file by name.

    Raises:
        InputError: as `tensor_shapes`.
    """
    from safetensors.torch import load_file

    tensor_shapes(path, advice, missing=missing)
    try:
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if tensor.dtype not in KINDS:
                raise ValueError(f"its {name[:80]!r} holds {tensor.dtype}, which is not read")
        return tensors
    except Exception as error:
        raise damaged(path, error, advice) from error
