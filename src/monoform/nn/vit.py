"""ViT (Dosovitskiy et al. 2021): a picture to tokens, one for each patch and one for all, in the published names."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from ..errors import InputError
from ..ranges import require_ranges
from .attention import attended_by_heads
from .quick_linear import QuickLinear

BEYOND = 0.1  # patches by which a picture counts as larger when positions are resized (DINO, Caron et al. 2021)


@dataclass(frozen=True)
class VitConfig:
    """Sizes of a ViT; the defaults are ViT-B/16.

    Attributes:
        width: of its tokens.
        layers: of attention and a perceptron each.
        heads: of the attention; they divide the width.
        hidden: width of the perceptrons.
        image_size: side of the pictures whose positions were learned, in pixels.
        patch: side of a patch in pixels.
        epsilon: of the norms.
        qkv_bias: whether queries, keys and values have biases.
        channels: of a picture.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    image_size: int = 224
    patch: int = 16
    epsilon: float = 1e-12
    qkv_bias: bool = True
    channels: int = 3

    def __post_init__(self) -> None:
        require_ranges(self, "The ViT's", width=(1, 8192), layers=(1, 128), heads=(1, 256), hidden=(1, 65536))
        require_ranges(self, "The ViT's", image_size=(1, 8192), patch=(1, 1024), epsilon=(0.0, 1.0), channels=(1, 64))
        if self.width % self.heads or self.image_size % self.patch:
            raise InputError(
                f"The ViT's {self.heads} heads must divide its width {self.width}, "
                f"and its patches of {self.patch} pixels the {self.image_size} of its pictures."
            )


class _Patches(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.projection = nn.Conv2d(config.channels, config.width, config.patch, config.patch)


class _Embeddings(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        side = config.image_size // config.patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.position_embeddings = nn.Parameter(0.02 * torch.randn(1, 1 + side**2, config.width))
        self.patch_embeddings = _Patches(config)

    def forward(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
        patches = self.patch_embeddings.projection(pictures)
        tokens = torch.cat((self.cls_token.expand(len(pictures), -1, -1), patches.flatten(2).mT), dim=1)
        return tokens + resized_positions(self.position_embeddings, patches.shape[2], patches.shape[3])


def resized_positions(table: Float[Tensor, "1 m d"], rows: int, columns: int) -> Float[Tensor, "1 t d"]:
    """The positions of a picture of other sides in patches; the first, of the token for all, stays.

    Bicubic at the scale (patches + 0.1) / side, as the weights of DINO are used, and not at that of the sides.
    """
    side = round((table.shape[1] - 1) ** 0.5)
    if (rows, columns) == (side, side):
        return table
    grid = table[:, 1:].mT.unflatten(2, (side, side))
    scale = ((rows + BEYOND) / side, (columns + BEYOND) / side)
    found = interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False, recompute_scale_factor=False)
    return torch.cat((table[:, :1], found.flatten(2).mT), dim=1)


class _SelfAttention(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            QuickLinear(config.width, config.width, bias=config.qkv_bias) for _ in range(3)
        )


class _Dense(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = QuickLinear(inputs, outputs)

    def forward(self, x: Float[Tensor, "n t i"]) -> Float[Tensor, "n t o"]:
        return self.dense(x)


class _Attention(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention, self.output = _SelfAttention(config), _Dense(config.width, config.width)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        of = self.attention
        return self.output(attended_by_heads(of.query(x), of.key(x), of.value(x), self.heads))


class VitLayer(nn.Module):
    """Attention and a perceptron, each on what a norm makes of the tokens, each added to them."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate, self.output = _Dense(config.width, config.hidden), _Dense(config.hidden, config.width)
        self.layernorm_before = nn.LayerNorm(config.width, eps=config.epsilon)
        self.layernorm_after = nn.LayerNorm(config.width, eps=config.epsilon)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output(gelu(self.intermediate(self.layernorm_after(x))))


class _Encoder(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList([VitLayer(config) for _ in range(config.layers)])


class Vit(nn.Module):
    """Tokens of pictures, that for all first, after the last norm.

    Args:
        config: of it.
        pooler: whether it holds the layer that other uses apply to the first token; nothing here runs it.
    """

    def __init__(self, config: VitConfig, *, pooler: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embeddings, self.encoder = _Embeddings(config), _Encoder(config)
        self.layernorm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.pooler = _Dense(config.width, config.width) if pooler else None

    def forward(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
        """From pictures whose sides are multiples of a patch, normalized as in training."""
        x = self.embeddings(pictures)
        for layer in self.encoder.layer:
            x = layer(x)
        return self.layernorm(x)
