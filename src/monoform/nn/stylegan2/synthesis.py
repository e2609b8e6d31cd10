"""From styles to an image: modulated layers in blocks of growing resolution (StyleGAN2, skip architecture)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from .activation import SLOPE, Activation, bias_act, default_gain
from .convolution import EqualizedConv2d
from .fir import TAPS, fir_kernel, upsample2d
from .linear import EqualizedLinear
from .modulated import demodulation, modulated_conv2d, modulated_in_place

Architecture = Literal["skip", "resnet", "orig"]
Noise = Literal["const", "none"] | torch.Generator | Iterator[Tensor]
"""What the layers add: their stored noise, nothing, fresh normal draws of a generator, or given draws (n, 1, h, w), one
after the other."""


def _quick(fused: bool | None, x: Tensor) -> bool:
    """Whether layers work in place, which gradients do not allow."""
    return fused is None and x.dtype == torch.float32 and not torch.is_grad_enabled()


def _laid_out(x: Tensor, fused: bool | None) -> Tensor:
    """Channels last in memory, which convolutions and filters on a CPU are quicker with."""
    if fused is None and x.device.type == "cpu":
        return x.contiguous(memory_format=torch.channels_last)
    return x


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias, activation.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        w_dim: length of the vector that the style is made of.
        resolution: of the image that goes out.
        size: of the kernel.
        up: factor by which the image grows.
        use_noise: whether there is noise at all.
        activation: with its own gain.
        taps: of the resampling filter.
        clamp: of the outputs; None for none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        *,
        size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        activation: Activation = "lrelu",
        taps: tuple[float, ...] = TAPS,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.up, self.size, self.clamp, self.resolution = up, size, clamp, resolution
        self.activation: Activation = activation
        self.affine = EqualizedLinear(w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.use_noise = use_noise
        self.noise_const: Tensor
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("kernel", fir_kernel(taps), persistent=False)
        self.kernel: Tensor

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        w: Float[Tensor, "n d"],
        *,
        noise: Noise = "const",
        fused: bool | None = None,
        gain: float = 1.0,
    ) -> Float[Tensor, "n o p q"]:
        """Apply the layer.

        Args:
            noise: what is added.
            fused: see `modulated_conv2d`; None: whatever is quickest.
            gain: on top of the activation's; the clamp grows with it.
        """
        if _quick(fused, x) and self.activation == "lrelu":
            return self._in_place(x, w, noise, gain)
        x = modulated_conv2d(
            x,
            self.weight,
            self.affine(w),
            noise=self._noise(noise, len(x)),
            up=self.up,
            padding=self.size // 2,
            kernel=self.kernel,
            flip=self.up > 1,
            fused=bool(fused),
        )
        clamp = None if self.clamp is None else self.clamp * gain
        return bias_act(
            x, self.bias, activation=self.activation, gain=default_gain(self.activation) * gain, clamp=clamp
        )

    def _in_place(self, x: Tensor, w: Tensor, noise: Noise, gain: float) -> Tensor:
        """The same without gradients: a gain commutes with a leaky ReLU, and so it is in kernels, noise and bias."""
        limit = None if self.clamp is None else self.clamp * gain
        styles, gain = self.affine(w), default_gain(self.activation) * gain
        scale = demodulation(self.weight, styles) * gain
        x = modulated_in_place(x, self.weight, styles, scale, self.bias * gain, up=self.up, kernel=self.kernel)
        added = self._noise(noise, len(x))
        if added is not None:
            x = x.add_(added * gain)
        x = leaky_relu(x, SLOPE, inplace=True)
        return x if limit is None else x.clamp_(-limit, limit)

    def _noise(self, noise: Noise, count: int) -> Tensor | None:
        if not self.use_noise or noise == "none":
            return None
        if isinstance(noise, torch.Generator):
            shape = (count, 1, self.resolution, self.resolution)
            drawn = torch.randn(shape, generator=noise, device=noise.device)
        else:
            drawn = self.noise_const if isinstance(noise, str) else next(noise)
        return drawn.to(self.noise_strength) * self.noise_strength


class ToRGB(nn.Module):
    """A modulated 1 x 1 convolution to the channels of an image, without demodulation.

    Args:
        inputs: channels that come in.
        outputs: channels of the image.
        w_dim: length of the vector that the style is made of.
        size: of the kernel.
        clamp: of the outputs; None for none.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, size: int = 1, clamp: float | None = None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = EqualizedLinear(w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(
        self, x: Float[Tensor, "n i h w"], w: Float[Tensor, "n d"], *, fused: bool | None = None
    ) -> Float[Tensor, "n o h w"]:
        styles = self.affine(w) * (1 / math.sqrt(self.weight[0].numel()))
        if _quick(fused, x):
            x = modulated_in_place(x, self.weight, styles, None, self.bias)
            return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)
        around = self.weight.shape[-1] // 2
        x = modulated_conv2d(x, self.weight, styles, padding=around, demodulate=False, fused=bool(fused))
        return bias_act(x, self.bias, clamp=self.clamp)


class SynthesisBlock(nn.Module):
    """[conv0 that doubles the image], conv1, and what they add to the output image.

    Args:
        inputs: channels that come in; 0: the block begins with a learned constant, and has no conv0.
        outputs: channels that go out.
        w_dim: length of the vectors that styles are made of.
        resolution: of what goes out.
        image_channels: of the output image.
        last: whether it is the network's last block.
        architecture: "skip" adds to the image in every block, "resnet" and "orig" make it in the last one.
        up: factor by which conv0 grows the image.
        use_noise: whether there is noise at all.
        taps: of the resampling filter.
        clamp: of all outputs; None for none.
        half_precision: whether a GPU computes in half precision.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        last: bool = False,
        architecture: Architecture = "skip",
        up: int = 2,
        use_noise: bool = True,
        taps: tuple[float, ...] = TAPS,
        clamp: float | None = None,
        half_precision: bool = False,
    ) -> None:
        super().__init__()
        self.architecture: Architecture = architecture
        self.inputs, self.up, self.half_precision = inputs, up, half_precision
        self.register_buffer("kernel", fir_kernel(taps), persistent=False)
        self.kernel: Tensor

        def layer(incoming: int, factor: int) -> SynthesisLayer:
            return SynthesisLayer(
                incoming, outputs, w_dim, resolution, up=factor, use_noise=use_noise, taps=taps, clamp=clamp
            )

        if inputs:
            self.conv0 = layer(inputs, up)
        else:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        self.conv1 = layer(outputs, 1)
        self.torgb = None
        if last or architecture == "skip":
            self.torgb = ToRGB(outputs, image_channels, w_dim, clamp=clamp)
        self.skip = None
        if inputs and architecture == "resnet":
            self.skip = EqualizedConv2d(inputs, outputs, 1, bias=False, up=up, taps=taps)

    @property
    def convolutions(self) -> int:
        """How many slots of styles the convolutions take; the image takes the one behind."""
        return 2 if self.inputs else 1

    def forward(
        self,
        x: Float[Tensor, "n i h w"] | None,
        image: Float[Tensor, "n c h w"] | None,
        ws: Float[Tensor, "n slots d"],
        *,
        noise: Noise = "const",
        fused: bool | None = None,
    ) -> tuple[Float[Tensor, "n o p q"], Float[Tensor, "n c p q"] | None]:
        """Features and image so far to those of this resolution; neither is changed.

        Args:
            x: None where the block begins with its constant.
            image: None where there is none yet.
            ws: one vector for each convolution, and one for the image.
            noise: what the layers add.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        slots = iter(ws.unbind(dim=1))
        dtype = torch.float16 if self.half_precision and ws.is_cuda else self.conv1.weight.dtype
        if x is None:
            x = _laid_out(self.const.to(dtype).expand(len(ws), *self.const.shape), fused)
        else:
            x = _laid_out(x.to(dtype), fused)
            around = None if self.skip is None else self.skip(x, gain=math.sqrt(0.5))
            x = self.conv0(x, next(slots), noise=noise, fused=fused)
            x = self._second(x, next(slots), around, noise, fused)
            return x, self._image(x, image, slots, fused)
        x = self._second(x, next(slots), None, noise, fused)
        return x, self._image(x, image, slots, fused)

    def _second(self, x: Tensor, w: Tensor, around: Tensor | None, noise: Noise, fused: bool | None) -> Tensor:
        gain = 1.0 if around is None else math.sqrt(0.5)
        x = self.conv1(x, w, noise=noise, fused=fused, gain=gain)
        return x if around is None else around + x

    def _image(self, x: Tensor, image: Tensor | None, slots: Iterator[Tensor], fused: bool | None) -> Tensor | None:
        if image is not None and self.up > 1:
            image = upsample2d(image, self.kernel, self.up)
        if self.torgb is None:
            return image
        added = self.torgb(x, next(slots), fused=fused).to(self.conv1.weight)
        if image is None:
            return added
        return added.add_(image) if _quick(fused, x) else image + added


class SynthesisNetwork(nn.Module):
    """Blocks b4, b8, ... from a constant of 4 x 4 to an image.

    Args:
        w_dim: length of the vectors that styles are made of.
        resolution: of the image, a power of 2.
        image_channels: of the image.
        channel_base: channels at a resolution are this / resolution,
        channel_max: and at most so many.
        half_resolutions: how many of the highest resolutions a GPU computes in half precision.
        architecture: see `SynthesisBlock`.
        use_noise: whether there is noise at all.
        taps: of the resampling filter.
        clamp: of all outputs; None for none.
    """

    def __init__(
        self,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        half_resolutions: int = 0,
        architecture: Architecture = "skip",
        use_noise: bool = True,
        taps: tuple[float, ...] = TAPS,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolutions = [2**level for level in range(2, resolution.bit_length())]
        widths = {size: min(channel_base // size, channel_max) for size in self.resolutions}
        for size in self.resolutions:
            block = SynthesisBlock(
                widths[size // 2] if size > 4 else 0,
                widths[size],
                w_dim,
                size,
                image_channels,
                last=size == resolution,
                architecture=architecture,
                use_noise=use_noise,
                taps=taps,
                clamp=clamp,
                half_precision=half_resolutions > 0 and size >= resolution >> (half_resolutions - 1),
            )
            self.add_module(f"b{size}", block)

    @property
    def slots(self) -> int:
        """How many vectors it takes: one for each convolution, and one for the last image."""
        return 2 * len(self.resolutions)

    def forward(
        self, ws: Float[Tensor, "n slots d"], *, noise: Noise = "const", fused: bool | None = None
    ) -> Float[Tensor, "n c h w"]:
        """The image of styles.

        Args:
            ws: `slots` vectors; that of a block's image is that of the next block's first convolution.
            noise: what the layers add.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        x: Tensor | None = None
        image: Tensor | None = None
        first = 0
        for size in self.resolutions:
            block = self.get_submodule(f"b{size}")
            assert isinstance(block, SynthesisBlock)
            x, image = block(x, image, ws[:, first : first + block.convolutions + 1], noise=noise, fused=fused)
            first += block.convolutions
        assert image is not None
        return image
