"""Attention (Vaswani et al. 2017, equation 1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def attended(
    query: Float[Tensor, "n h q d"], key: Float[Tensor, "n h k d"], value: Float[Tensor, "n h k d"]
) -> Float[Tensor, "n h q d"]:
    """Values weighted by how queries and keys agree.

    A single key has all the weight. A softmax says that without error, fused kernels up to rounding: their gradients of
    the query, which are 0, would be noise that Adam makes steps of.
    """
    if key.shape[2] > 1:
        return functional.scaled_dot_product_attention(query, key, value)
    return torch.softmax(query @ key.mT, dim=-1) @ value


def attended_by_heads(
    query: Float[Tensor, "n q d"], key: Float[Tensor, "n k d"], value: Float[Tensor, "n k d"], heads: int
) -> Float[Tensor, "n q d"]:
    """The same, each head on its own share of the channels; no table of all pairs is made."""
    parts = (each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (query, key, value))
    return attended(*parts).transpose(1, 2).flatten(2)
