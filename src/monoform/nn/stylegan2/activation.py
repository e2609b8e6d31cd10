"""Bias, activation, gain and clamp in one step, with the gains that keep the variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]
SLOPE = 0.2
"""Of the leaky ReLU."""
_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "softplus": functional.softplus,
    "swish": functional.silu,
}


def default_gain(activation: Activation) -> float:
    """sqrt 2 where an activation halves the variance, else 1."""
    return math.sqrt(2) if activation in ("relu", "lrelu", "swish") else 1.0


def bias_act(
    x: Float[Tensor, "*n"],
    bias: Float[Tensor, " c"] | None = None,
    *,
    dim: int = 1,
    activation: Activation = "linear",
    slope: float = SLOPE,
    gain: float | None = None,
    clamp: float | None = None,
) -> Float[Tensor, "*n"]:
    """gain * activation(x + bias), within +-clamp.

    Args:
        bias: one number for each entry of the dimension `dim`.
        slope: of the leaky ReLU below 0.
        gain: None for the activation's own, `default_gain`.
        clamp: None for none.
    """
    if bias is not None:
        shape = [1] * x.ndim
        shape[dim] = -1
        x = x + bias.to(x.dtype).reshape(shape)
    x = functional.leaky_relu(x, slope) if activation == "lrelu" else _FUNCTIONS[activation](x)
    gain = default_gain(activation) if gain is None else gain
    if gain != 1.0:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)
