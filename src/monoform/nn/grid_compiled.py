"""The look-up in a multi-resolution grid as one compiled kernel, for accelerators.

`look_up_plain` is what is compiled: its gathers, products and sums become one kernel, and its gradient one with atomic
additions. `look_up` is the twin that tests compare with.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from .grid_lookup import GridLevel, look_up, look_up_plain


@lru_cache
def compiled_look_up(backend: str = "inductor") -> Callable[..., Tensor]:
    """`look_up_plain`, compiled at its first call for each kind of grid and dtype, for any number of positions."""
    return torch.compile(look_up_plain, dynamic=True, fullgraph=True, backend=backend)


@lru_cache
def can_compile() -> bool:
    """Whether torch can make kernels for this machine's accelerator."""
    if not torch.cuda.is_available() or importlib.util.find_spec("triton") is None:
        return False
    return torch.cuda.get_device_capability() >= (7, 0)


def look_up_fast(
    share: Float[Tensor, "n d"],
    table: Float[Tensor, "rows features"],
    levels: Sequence[GridLevel],
    *,
    shift: float = 0.5,
    smooth: bool = False,
) -> Float[Tensor, "n width"]:
    """`look_up`, by a compiled kernel where the tensors are on an accelerator that can have one."""
    kernel = compiled_look_up() if share.is_cuda and can_compile() else look_up
    return kernel(share, table, tuple(levels), shift=shift, smooth=smooth)
