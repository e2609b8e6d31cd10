"""A perceptron without autograd: forward where what features add is known, and backward for some of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...nn.quick_linear import linear
from .mlp import Residual, ResnetFC, activation
from .pixels import pool_views

Entering = Callable[[int], Tensor]
"""What features add before a block, with the constants that are added there: (rows, width)."""


@dataclass
class Kept:
    """What rows of a forward pass leave for their backward pass.

    Attributes:
        views: of an object.
        activations: that the layers saw, in their order.
    """

    views: int
    activations: list[Tensor] = field(default_factory=list)

    def of(self, rows: Int[Tensor, " q"], points: int) -> Kept:
        """That of some of the points."""

        def chosen(values: Tensor) -> Tensor:
            return values.reshape(-1, points, values.shape[-1]).index_select(1, rows).flatten(0, 1)

        return Kept(self.views, [chosen(one) for one in self.activations])


class QuickPerceptron:
    """The same numbers as a `ResnetFC` without `spade` that features enter.

    Args:
        mlp: whose weights are taken.
        dtype: of weights and activations.
    """

    def __init__(self, mlp: ResnetFC, dtype: torch.dtype) -> None:
        self.config, self.dtype = mlp.config, dtype
        blocks = [cast(Residual, block) for block in mlp.blocks]
        self.entered = len(mlp.lin_z)
        self.enter = mlp.lin_in.weight.to(dtype)
        self.blocks = [(*_layer(block.fc_0, dtype), *_layer(block.fc_1, dtype)) for block in blocks]
        self.leave = _layer(mlp.lin_out, dtype)
        constants = [mlp.lin_in.bias, *(block.fc_1.bias for block in blocks)]
        self.entry = [
            (layer.weight, layer.bias + constant)
            for layer, constant in zip(cast("list[nn.Linear]", list(mlp.lin_z)), constants, strict=False)
        ]

    def added(self, number: int, features: Float[Tensor, "n z"]) -> Float[Tensor, "n w"]:
        """What features add before a block, and constants with them."""
        weight, bias = self.entry[number]
        return linear(features, weight, bias).to(self.dtype)

    def __call__(
        self, inputs: Float[Tensor, "v p x"], entering: Entering, kept: Kept | None = None
    ) -> Float[Tensor, "p 4"]:
        """Color and density before the heads, of one object's points; in `kept` is noted what `backward` needs."""
        views, points = inputs.shape[:2]
        beta = self.config.beta
        noted = [] if kept is None else kept.activations
        hidden = entering(0).add_(linear(inputs.flatten(0, 1).to(self.dtype), self.enter))
        for number, (first, bias, second, after) in enumerate(self.blocks):
            if number == self.config.pooled_block and views > 1:
                hidden = pool_views(hidden.reshape(views, points, -1), views, self.config.pooling)[0]
            if 0 < number < self.entered:
                hidden += entering(number)
            seen = activation(hidden, beta)
            within = linear(seen, first, bias, relu=beta == 0)
            if beta > 0:
                within = activation(within, beta)
            hidden += linear(within, second, after if number >= self.entered - 1 else None)
            if kept is not None:
                noted += [seen, within]
        weight, bias = self.leave
        last = activation(hidden, beta)
        if kept is not None:
            noted.append(last)
        return linear(last, weight, bias).to(inputs.dtype)

    def backward(
        self,
        gradient: Float[Tensor, "p 4"],
        kept: Kept,
        inputs: Float[Tensor, "n x"],
        features: Float[Tensor, "n z"],
        sums: dict[str, Tensor],
        *,
        asked: bool = True,
    ) -> tuple[Float[Tensor, "n x"], Float[Tensor, "n z"]]:
        """Add the weights' gradients to `sums`, by their names; those of the inputs and of the features.

        Args:
            asked: whether anything asks for those of the features; else they are 0.
        """
        own, features = gradient.to(self.dtype), features.to(self.dtype)
        *noted, last = kept.activations
        _add(sums, "lin_out", own, last)
        hidden = self._through(linear(own, self.leave[0].t()), last)
        of_features = torch.zeros_like(features)
        for number in reversed(range(len(self.blocks))):
            first, _, second, _ = self.blocks[number]
            seen, within = noted[2 * number], noted[2 * number + 1]
            name = f"blocks.{number}"
            _add(sums, f"{name}.fc_1", hidden, within)
            inner = self._through(linear(hidden, second.t()), within)
            _add(sums, f"{name}.fc_0", inner, seen)
            hidden += self._through(linear(inner, first.t()), seen)
            if number < self.entered:
                _add(sums, f"lin_z.{number}", hidden, features)
                if asked:
                    of_features += linear(hidden, self.entry[number][0].to(self.dtype).t())
            if number == self.config.pooled_block and kept.views > 1:
                hidden = (hidden / kept.views).repeat(kept.views, 1)
        _add(sums, "lin_in", hidden, inputs.to(self.dtype))
        return linear(hidden, self.enter.t()).to(inputs.dtype), of_features.to(inputs.dtype)

    def _through(self, gradient: Tensor, activated: Tensor) -> Tensor:
        """The gradient before an activation, from what it gave."""
        if self.config.beta > 0:
            return gradient.mul_(-torch.expm1(-self.config.beta * activated))
        return torch.ops.aten.threshold_backward(gradient, activated, 0.0)


def _layer(layer: nn.Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight and bias."""
    return layer.weight.to(dtype), layer.bias.to(dtype)


def _add(sums: dict[str, Tensor], name: str, gradient: Tensor, seen: Tensor) -> None:
    """The gradient of a linear layer."""
    sums[f"{name}.weight"] += linear(gradient.t(), seen.t())
    sums[f"{name}.bias"] += gradient.sum(dim=0, dtype=sums[f"{name}.bias"].dtype)
