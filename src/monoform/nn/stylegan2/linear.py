"""A linear layer whose weights are scaled when they are used (equalized learning rate, Karras et al. 2018)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .activation import Activation, bias_act


class EqualizedLinear(nn.Module):
    """weight * lr_multiplier / sqrt(inputs) and bias * lr_multiplier, then an activation.

    Args:
        inputs: width of what comes in.
        outputs: width of what goes out.
        activation: with its own gain.
        lr_multiplier: of the learning rate; stored weights are larger by 1 / this.
        bias: whether there is one.
        bias_init: what it begins at.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activation: Activation = "linear",
        lr_multiplier: float = 1.0,
        bias: bool = True,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.lr_multiplier = lr_multiplier
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias_init)) if bias else None

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        weight = self.weight.to(x.dtype) * (self.lr_multiplier / math.sqrt(self.weight.shape[1]))
        bias = None if self.bias is None else self.bias.to(x.dtype) * self.lr_multiplier
        return bias_act(nn.functional.linear(x, weight, bias), activation=self.activation)
