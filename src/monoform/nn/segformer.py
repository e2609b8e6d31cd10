"""SegFormer (Xie et al. 2021): a mix transformer (MiT) in four stages and a head of linear layers, the published names.

Bootstrapped inversion's variant: the head has neither norm nor activation, so that it is one linear map of four maps.
Epsilons of the norms differ as they do in the release, and weights trained there depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..errors import InputError
from .attention import attended
from .quick_linear import QuickLinear
from .state_dict import fill, read_state_dict

STAGES = 4
SMALLEST = 32
"""Pixels a side that leave one at the last stage."""
PATCH_EPSILON, BLOCK_EPSILON = 1e-5, 1e-6
Kept = Iterator[Float[Tensor, " n"]]
"""For each branch in order of use, 1 where a sample keeps it in training and 0 where not."""


@dataclass(frozen=True)
class SegformerConfig:
    """Sizes of a SegFormer; the defaults are MiT-B5 with the head of bootstrapped inversion.

    Attributes:
        widths: channels of the four stages.
        heads: of the attention in each stage; each divides its width.
        depths: blocks of each stage.
        mlp_ratios: hidden channels of each stage's perceptrons, in widths.
        reductions: by what keys and values have a lower resolution than queries.
        head_width: channels that every stage has in the head.
        channels: of the output.
        drop_path: probability that the last block's branches are left out in training; 0 at the first block.
    """

    widths: tuple[int, ...] = (64, 128, 320, 512)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    depths: tuple[int, ...] = (3, 6, 40, 3)
    mlp_ratios: tuple[int, ...] = (4, 4, 4, 4)
    reductions: tuple[int, ...] = (8, 4, 2, 1)
    head_width: int = 768
    channels: int = 512
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        for name in ("widths", "heads", "depths", "mlp_ratios", "reductions"):
            values = getattr(self, name)
            if len(values) != STAGES or min(values) < 1:
                raise InputError(f"SegFormer's {name} are {values}; give four whole numbers of 1 or more.")
        if any(width % heads for width, heads in zip(self.widths, self.heads, strict=True)):
            raise InputError(f"SegFormer's heads {self.heads} do not divide its widths {self.widths}.")
        if min(self.head_width, self.channels) < 1 or not 0 <= self.drop_path < 1:
            raise InputError(
                f"SegFormer has head_width {self.head_width}, channels {self.channels} and drop_path {self.drop_path};"
                " the first two must be 1 or more, the last at least 0 and below 1."
            )


SMALL = SegformerConfig((16, 32, 64, 96), (1, 2, 4, 6), (1, 1, 2, 1), (2, 2, 2, 2), head_width=64, channels=64)
"""Learns on a CPU in minutes."""


class PatchEmbedding(nn.Module):
    """Overlapping patches as tokens."""

    def __init__(self, inputs: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, width, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(width, eps=PATCH_EPSILON)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n i j d"]:
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class Attention(nn.Module):
    """Self-attention whose keys and values have a reduced resolution."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.proj = QuickLinear(width, width), QuickLinear(width, 2 * width), QuickLinear(width, width)
        self.sr = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else None
        self.norm = nn.LayerNorm(width, eps=PATCH_EPSILON) if reduction > 1 else None

    def forward(self, x: Float[Tensor, "n i j d"]) -> Float[Tensor, "n i j d"]:
        seen = x
        if self.sr is not None and self.norm is not None:
            seen = self.norm(self.sr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        query = self.q(x).flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.kv(seen).flatten(1, 2).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = attended(query, key, value)
        return self.proj(found.transpose(1, 2).flatten(2)).reshape(x.shape)


class DepthwiseConvolution(nn.Module):
    """Tells each token of its neighbors; stands for an encoding of positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Float[Tensor, "n i j d"]) -> Float[Tensor, "n i j d"]:
        return self.dwconv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class MixPerceptron(nn.Module):
    """Two linear layers with a depth-wise convolution before the GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = QuickLinear(width, hidden), QuickLinear(hidden, width)
        self.dwconv = DepthwiseConvolution(hidden)

    def forward(self, x: Float[Tensor, "n i j d"]) -> Float[Tensor, "n i j d"]:
        return self.fc2(functional.gelu(self.dwconv(self.fc1(x))))


class Block(nn.Module):
    """Attention and perceptron, each normalized first; in training a sample may go without either (Huang et al. 2016).

    Args:
        drop: probability of that, which rescales what is kept.
    """

    def __init__(self, width: int, heads: int, hidden: int, reduction: int, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=BLOCK_EPSILON), nn.LayerNorm(width, eps=BLOCK_EPSILON)
        self.attn, self.mlp = Attention(width, heads, reduction), MixPerceptron(width, hidden)
        self.drop = drop

    def forward(self, x: Float[Tensor, "n i j d"], kept: Kept | None = None) -> Float[Tensor, "n i j d"]:
        x = x + self._kept(self.attn(self.norm1(x)), kept)
        return x + self._kept(self.mlp(self.norm2(x)), kept)

    def _kept(self, branch: Float[Tensor, "n i j d"], kept: Kept | None) -> Float[Tensor, "n i j d"]:
        if not self.training or self.drop == 0.0:
            return branch
        share = 1.0 - self.drop
        keep = torch.rand(len(branch), device=branch.device) < share if kept is None else next(kept)
        return branch * (keep.to(branch) / share)[:, None, None, None]


class HeadLinear(nn.Module):
    """One stage's layer of the head."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = QuickLinear(inputs, outputs)

    def forward(self, x: Float[Tensor, "n i j d"]) -> Float[Tensor, "n i j e"]:
        return self.proj(x)


class Segformer(nn.Module):
    """The network, with initial weights as in the release.

    Args:
        config: its sizes.
    """

    def __init__(self, config: SegformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SegformerConfig()
        last = max(sum(config.depths) - 1, 1)
        rates = [config.drop_path * number / last for number in range(last + 1)]
        inputs = 3
        for stage, width in enumerate(config.widths):
            kernel, stride = (7, 4) if stage == 0 else (3, 2)
            self.add_module(f"patch_embed{stage + 1}", PatchEmbedding(inputs, width, kernel, stride))
            hidden, heads = width * config.mlp_ratios[stage], config.heads[stage]
            depth, reduction = config.depths[stage], config.reductions[stage]
            blocks = [Block(width, heads, hidden, reduction, rates.pop(0)) for _ in range(depth)]
            self.add_module(f"block{stage + 1}", nn.ModuleList(blocks))
            self.add_module(f"norm{stage + 1}", nn.LayerNorm(width, eps=BLOCK_EPSILON))
            self.add_module(f"linear_c{stage + 1}", HeadLinear(width, config.head_width))
            inputs = width
        self.linear_fuse = nn.Conv2d(STAGES * config.head_width, config.head_width, 1)
        self.linear_pred = nn.Conv2d(config.head_width, config.channels, 1)
        self.apply(_initialize)

    def stages(self, images: Float[Tensor, "n 3 h w"], kept: Kept | None = None) -> list[Float[Tensor, "n _ _ _"]]:
        """The maps of the four stages, channels last, of 1/4, 1/8, 1/16 and 1/32 of the resolution.

        Args:
            kept: which samples keep a branch in training; drawn where it is not given.

        Raises:
            InputError: an image has fewer than 32 pixels a side.
        """
        if min(images.shape[2:]) < SMALLEST:
            size = f"{images.shape[3]} x {images.shape[2]}"
            raise InputError(f"SegFormer sees images of {SMALLEST} x {SMALLEST} pixels or more, not {size}.")
        x, maps = images, []
        for stage in range(1, STAGES + 1):
            x = self.get_submodule(f"patch_embed{stage}")(x)
            for block in self.get_submodule(f"block{stage}").children():
                x = block(x, kept)
            maps.append(self.get_submodule(f"norm{stage}")(x))
            x = maps[-1].permute(0, 3, 1, 2)
        return maps

    def head(self, maps: list[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c i j"]:
        """What the linear layers make of the four maps, at the resolution of the first.

        The published order is to enlarge the maps, then to mix their channels, coarsest first; bilinear weights sum to
        one, so that mixing first, on the small maps, gives the same.
        """
        size = maps[0].shape[1:3]
        mixers = self.linear_fuse.weight[:, :, 0, 0].chunk(STAGES, dim=1)
        total = self.linear_fuse.bias[:, None, None]  # type: ignore[index]
        for stage, (mixer, x) in enumerate(zip(mixers, reversed(maps), strict=True)):
            x = functional.linear(self.get_submodule(f"linear_c{STAGES - stage}")(x), mixer).permute(0, 3, 1, 2)
            same = x.shape[2:] == size
            total = total + (x if same else functional.interpolate(x, size, mode="bilinear", align_corners=False))
        return self.linear_pred(total)

    def forward(self, images: Float[Tensor, "n 3 h w"], kept: Kept | None = None) -> Float[Tensor, "n c i j"]:
        """Features of a quarter of the resolution.

        Args:
            images: values -1..1 in bootstrapped inversion.
            kept: as in `stages`.

        Raises:
            InputError: as in `stages`.
        """
        return self.head(self.stages(images, kept))


def load_mix_transformer(net: Segformer, file: str | Path) -> None:
    """Fill the four stages with weights trained on ImageNet; the file's classifier is not read, the head stays.

    Raises:
        InputError: the file cannot be read, or is of another network.
    """
    advice = "give the mix transformer's weights of the SegFormer release (mit_b5.pth for the published size)"
    found = read_state_dict(file, advice)
    wanted = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith("linear_")}
    fill(
        wanted, found, f"{file} does not fit the encoder", advice, may_be_left_out=lambda name: name.startswith("head.")
    )


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
