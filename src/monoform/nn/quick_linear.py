"""Linear layers on the CPU by oneDNN, where autograd is not needed.

Torch takes float32 products to MKL, which keeps AVX-512 for Intel's processors: on AMD's that have it, oneDNN takes
less than half the time. It applies ReLU along the way, too, which saves a pass over what was computed.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

ONEDNN = True
"""Whether oneDNN is taken where it is there; else torch's own way, to compare with."""

_PRECISIONS = (torch.float32, torch.bfloat16)


def linear(
    rows: Float[Tensor, "n i"],
    weight: Float[Tensor, "o i"],
    bias: Float[Tensor, " o"] | None = None,
    *,
    relu: bool = False,
) -> Float[Tensor, "n o"]:
    """`torch.nn.functional.linear` up to rounding, and ReLU of it where that is asked for; without a gradient.

    Rows and weight may be transposed views. Other precisions and devices take torch's own way.
    """
    with torch.no_grad():
        if _has_onednn(rows):
            after = "relu" if relu else "none"
            found: Tensor = torch.ops.mkldnn._linear_pointwise(rows.contiguous(), weight, bias, after, [], "")
            return found
        found = functional.linear(rows, weight, bias)
        return found.relu_() if relu else found


class QuickLinear(nn.Linear):
    """A linear layer that asks oneDNN where no gradient is needed: the same weights by the same names."""

    def forward(self, rows: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """`nn.Linear` up to rounding."""
        here = rows.device.type == "cpu" and rows.dtype == self.weight.dtype
        if not here or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return super().forward(rows)
        flat = rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1])
        return linear(flat, self.weight, self.bias).reshape(*rows.shape[:-1], self.out_features)


def _has_onednn(rows: Tensor) -> bool:
    """Whether oneDNN is there, and takes such rows."""
    if not ONEDNN or rows.device.type != "cpu" or rows.dtype not in _PRECISIONS or not rows.numel():
        return False
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return rows.dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
