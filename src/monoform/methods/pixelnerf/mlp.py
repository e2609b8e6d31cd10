"""The multilayer perceptron that turns features, positions and directions into colour and density (figure 3, B.1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .config import Perceptron
from .pixels import pool_views

OUTPUTS = 4


class Residual(nn.Module):
    """h + fc_1(a(fc_0(a(h))))."""

    def __init__(self, width: int, beta: float) -> None:
        super().__init__()
        self.fc_0 = nn.Linear(width, width)
        self.fc_1 = nn.Linear(width, width)
        self.beta = beta
        _begin(self.fc_0)
        nn.init.zeros_(self.fc_1.weight)
        nn.init.zeros_(self.fc_1.bias)

    def forward(self, hidden: Float[Tensor, "*rows w"]) -> Float[Tensor, "*rows w"]:
        within = self.fc_0(activation(hidden, self.beta))
        return hidden + self.fc_1(activation(within, self.beta))


class ResnetFC(nn.Module):
    """Residual blocks; image features enter before the first ones, views are pooled between them and the rest.

    Args:
        features: length of the image features; 0 for none.
        inputs: of what describes a point and its direction.
    """

    def __init__(self, features: int, inputs: int, config: Perceptron) -> None:
        super().__init__()
        self.config = config
        self.features = features
        width, entered = config.width, min(config.pooled_block, config.blocks) if features else 0
        self.lin_in = nn.Linear(inputs, width)
        self.lin_out = nn.Linear(width, OUTPUTS)
        self.blocks = nn.ModuleList([Residual(width, config.beta) for _ in range(config.blocks)])
        self.lin_z = nn.ModuleList([nn.Linear(features, width) for _ in range(entered)])
        if config.spade and entered:
            self.scale_z = nn.ModuleList([nn.Linear(features, width) for _ in range(entered)])
        for layer in (self.lin_in, self.lin_out, *self.lin_z, *(self.scale_z if config.spade and entered else ())):
            _begin(layer)

    def forward(
        self, features: Float[Tensor, "n p z"], inputs: Float[Tensor, "n p x"], *, views: int = 1
    ) -> Float[Tensor, "b p 4"]:
        """Raw colour and density of p points of b objects; n = b views, the views of an object side by side."""
        hidden = self.lin_in(inputs)
        for number, block in enumerate(self.blocks):
            if number == self.config.pooled_block and views > 1:
                hidden = pool_views(hidden, views, self.config.pooling)
            if number < len(self.lin_z):
                entering = self.lin_z[number](features)
                hidden = self.scale_z[number](features) * hidden + entering if self.config.spade else hidden + entering
            hidden = block(hidden)
        return self.lin_out(activation(hidden, self.config.beta))


def activation(values: Tensor, beta: float) -> Tensor:
    """ReLU, or softplus where beta is above 0."""
    return functional.softplus(values, beta=beta) if beta > 0 else torch.relu(values)


def _begin(layer: nn.Module) -> None:
    assert isinstance(layer, nn.Linear)
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(layer.bias)
