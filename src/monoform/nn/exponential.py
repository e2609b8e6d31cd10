"""The exponential as an activation of densities."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limit = limit
        return x.exp()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * x.clamp_max(ctx.limit).exp(), None


def limited_exponential(x: Float[Tensor, "*n"], limit: float) -> Float[Tensor, "*n"]:
    """exp(x), whose gradient is that of min(x, limit) (Instant NGP, section 5.4)."""
    return _Exponential.apply(x, limit)
