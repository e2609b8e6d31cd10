"""The residual discriminator of StyleGAN2 (Karras et al. 2020): a trunk down to 4 x 4, and what ends it."""

from __future__ import annotations

import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import InputError
from .convolution import EqualizedConv2d
from .linear import EqualizedLinear

HALF = math.sqrt(0.5)
"""Gain of each of two branches that are added: their sum keeps the variance."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, the second halving the image, beside a 1 x 1 convolution of the halved image.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        images: channels of the images where the block is the first, which makes `inputs` of them; 0 for a later one.
        clamp: of the activations; None for none.
        frozen: how many of its layers do not learn, in the order fromrgb, conv0, conv1, skip.
    """

    def __init__(
        self, inputs: int, outputs: int, *, images: int = 0, clamp: float | None = None, frozen: int = 0
    ) -> None:
        super().__init__()
        still = [number < frozen for number in range(4)]
        if not images:
            still = [False, *still]
        self.fromrgb = None
        if images:
            self.fromrgb = EqualizedConv2d(images, inputs, 1, activation="lrelu", clamp=clamp, frozen=still[0])
        self.conv0 = EqualizedConv2d(inputs, inputs, 3, activation="lrelu", clamp=clamp, frozen=still[1])
        self.conv1 = EqualizedConv2d(inputs, outputs, 3, activation="lrelu", down=2, clamp=clamp, frozen=still[2])
        self.skip = EqualizedConv2d(inputs, outputs, 1, bias=False, down=2, frozen=still[3])

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o g v"]:
        """Features of half the size."""
        x = x if self.fromrgb is None else self.fromrgb(x)
        return self.skip(x, gain=HALF) + self.conv1(self.conv0(x), gain=HALF)


class ResidualTrunk(nn.Module):
    """Blocks b{resolution} .. b8 from images to features of 4 x 4.

    Args:
        resolution: of the images, a power of two, 8 or more.
        images: their channels.
        channel_base: channels of a block are channel_base / resolution,
        channel_max: and no more than this.
        clamp: of the activations; None for none.
        frozen: how many layers do not learn, from the images on (Freeze-D, Mo et al. 2020).
        half: how many of the highest resolutions are computed in float16 on CUDA.
    """

    def __init__(
        self,
        resolution: int,
        images: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        clamp: float | None = None,
        frozen: int = 0,
        half: int = 0,
    ) -> None:
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise InputError(f"A discriminator of {resolution} pixels cannot be: give a power of two, 8 or more.")

        def channels(size: int) -> int:
            return min(channel_base // size, channel_max)

        sizes = [2**power for power in range(resolution.bit_length() - 1, 2, -1)]
        self.names = [f"b{size}" for size in sizes]
        self.halved = half
        for size in sizes:
            first = size == resolution
            block = ResidualBlock(
                channels(size), channels(size // 2), images=images if first else 0, clamp=clamp, frozen=max(frozen, 0)
            )
            self.add_module(f"b{size}", block)
            frozen -= 4 if first else 3
        self.channels = channels(4)

    def features(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n c 4 4"]:
        """Features of images."""
        for number, name in enumerate(self.names):
            block = self.get_submodule(name)
            assert isinstance(block, ResidualBlock)
            small = number < self.halved and x.device.type == "cuda"
            own: torch.dtype = block.skip.weight.dtype
            x = block(x.to(torch.float16 if small else own))
        return x.to(own)


def minibatch_std(x: Float[Tensor, "n c h w"], group: int, *, divisor: bool = False) -> Float[Tensor, "n c+1 h w"]:
    """Features with a channel more: how much they differ among the images of a group (Karras et al. 2018, section 3).

    Groups are strided: with n / group groups, image i is in group i mod (n / group).

    Args:
        group: images of a group; all of a smaller batch.
        divisor: take the largest group up to `group` that divides the batch, instead of refusing it.

    Raises:
        InputError: the batch cannot be divided so.
    """
    n, c, h, w = x.shape
    size = min(group, n)
    if divisor:
        size = next(number for number in range(size, 0, -1) if n % number == 0)
    if n % size:
        raise InputError(f"A batch of {n} images has no groups of {size}: give a multiple of {size}.")
    y = x.float().reshape(size, n // size, c, h, w)
    y = y - y.mean(dim=0)
    y = (y.square().mean(dim=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    y = y.repeat(size)[:, None, None, None]
    return torch.cat([x, y.to(x.dtype).expand(n, 1, h, w)], dim=1)


class Epilogue(nn.Module):
    """The end of a discriminator: minibatch deviation, a convolution, two linear layers.

    Args:
        channels: of the features of 4 x 4.
        outputs: numbers for each image; those of the condition that they are multiplied with.
        group: images whose deviation is a channel, see `minibatch_std`.
        divisor: see `minibatch_std`.
        clamp: of the convolution; None for none.
    """

    def __init__(
        self, channels: int, outputs: int, *, group: int = 4, divisor: bool = False, clamp: float | None = None
    ) -> None:
        super().__init__()
        self.group, self.divisor = group, divisor
        self.conv = EqualizedConv2d(channels + 1, channels, 3, activation="lrelu", clamp=clamp)
        self.fc = EqualizedLinear(channels * 16, channels, activation="lrelu")
        self.out = EqualizedLinear(channels, outputs)

    def flat(self, x: Float[Tensor, "n c 4 4"]) -> Float[Tensor, "n d"]:
        """What scores and other answers are made of."""
        x = minibatch_std(x, self.group, divisor=self.divisor)
        return cast(Tensor, self.conv(x)).flatten(1)

    def score(self, flat: Float[Tensor, "n d"]) -> Float[Tensor, "n o"]:
        """Scores before they are projected on a condition."""
        return cast(Tensor, self.out(self.fc(flat)))


def projected(score: Float[Tensor, "n o"], condition: Float[Tensor, "n o"]) -> Float[Tensor, "n 1"]:
    """The score of an image under a condition: their product, scaled (Miyato and Koyama 2018)."""
    return (score * condition).sum(dim=1, keepdim=True) / math.sqrt(condition.shape[1])
