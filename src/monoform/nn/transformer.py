"""A transformer of tokens that look at each other and at those of a context (Vaswani et al. 2017), published names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint

from ..errors import InputError
from ..ranges import require_ranges
from .attention import attended_by_heads
from .quick_linear import QuickLinear

Activation = Literal["geglu", "geglu-approximate", "gelu", "gelu-approximate"]
WIDER = 4  # a perceptron's hidden layer, in widths
SIGMOID_SCALE = 1.702  # x sigmoid(1.702 x) is nearly GELU (Hendrycks and Gimpel 2016)


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a transformer; the defaults are those of TripoSR.

    Attributes:
        channels: of the tokens that come in and go out.
        heads: of each attention.
        head_width: channels of a head; all heads together are the width within.
        blocks: of two attentions and a perceptron each.
        context: channels of the context's tokens.
        bias: whether queries, keys and values have biases.
        activation: of the perceptrons: geglu gates one half of a layer by the GELU of the other (Shazeer 2020),
            gelu-approximate takes the hyperbolic tangent, geglu-approximate has no gate and x sigmoid(1.702 x).
        groups: of the norm of the tokens that come in.
        norm_epsilon: of that norm.
    """

    channels: int = 1024
    heads: int = 16
    head_width: int = 64
    blocks: int = 16
    context: int = 768
    bias: bool = False
    activation: Activation = "geglu"
    groups: int = 32
    norm_epsilon: float = 1e-6

    def __post_init__(self) -> None:
        require_ranges(self, "The transformer's", channels=(1, 16384), heads=(1, 256), head_width=(1, 1024))
        require_ranges(self, "The transformer's", blocks=(1, 256), context=(1, 16384), groups=(1, 16384))
        require_ranges(self, "The transformer's", norm_epsilon=(0.0, 1.0))
        if self.channels % self.groups:
            raise InputError(f"The transformer's {self.groups} groups do not divide its {self.channels} channels.")

    @property
    def width(self) -> int:
        """Channels within."""
        return self.heads * self.head_width


class Attention(nn.Module):
    """What tokens find in those of a context."""

    def __init__(self, config: TransformerConfig, context: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_q = QuickLinear(config.width, config.width, bias=config.bias)
        self.to_k = QuickLinear(context, config.width, bias=config.bias)
        self.to_v = QuickLinear(context, config.width, bias=config.bias)
        self.to_out = nn.ModuleList([QuickLinear(config.width, config.width)])

    def forward(self, x: Float[Tensor, "n t d"], context: Float[Tensor, "n m c"]) -> Float[Tensor, "n t d"]:
        return self.to_out[0](attended_by_heads(self.to_q(x), self.to_k(context), self.to_v(context), self.heads))


class _Activated(nn.Module):
    """The first layer of a perceptron with its activation."""

    def __init__(self, width: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.proj = QuickLinear(width, WIDER * width * (2 if activation == "geglu" else 1))

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t h"]:
        x = self.proj(x)
        if self.activation == "geglu":
            value, gate = x.chunk(2, dim=-1)
            return value * gelu(gate)
        if self.activation == "geglu-approximate":
            return x * torch.sigmoid(SIGMOID_SCALE * x)
        return gelu(x, approximate="tanh" if self.activation == "gelu-approximate" else "none")


class Perceptron(nn.Module):
    """Two layers; between them, under the published numbers, one that only trainings used."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            [
                _Activated(config.width, config.activation),
                nn.Identity(),
                QuickLinear(WIDER * config.width, config.width),
            ]
        )

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        return self.net[2](self.net[0](x))


class Block(nn.Module):
    """Three branches, each on what a norm makes of the tokens, each added to them; the context has no norm."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(config.width) for _ in range(3))
        self.attn1 = Attention(config, config.width)
        self.attn2 = Attention(config, config.context)
        self.ff = Perceptron(config)

    def forward(self, x: Float[Tensor, "n t d"], context: Float[Tensor, "n m c"]) -> Float[Tensor, "n t d"]:
        seen = self.norm1(x)
        x = x + self.attn1(seen, seen)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    """Tokens (n, c, t), changed by what they see of each other and of a context.

    Attributes:
        checkpointing: whether a training keeps the tokens between blocks alone, and computes each block once more for
            its gradient: a fraction of the memory, a third more time.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config, self.checkpointing = config, False
        self.norm = nn.GroupNorm(config.groups, config.channels, eps=config.norm_epsilon)
        self.proj_in, self.proj_out = (
            QuickLinear(config.channels, config.width),
            QuickLinear(config.width, config.channels),
        )
        self.transformer_blocks = nn.ModuleList([Block(config) for _ in range(config.blocks)])

    def forward(self, tokens: Float[Tensor, "n c t"], context: Float[Tensor, "n m d"]) -> Float[Tensor, "n c t"]:
        x = self.proj_in(self.norm(tokens).mT)
        for block in self.transformer_blocks:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, context, use_reentrant=False)
            else:
                x = block(x, context)
        return self.proj_out(x).mT + tokens
