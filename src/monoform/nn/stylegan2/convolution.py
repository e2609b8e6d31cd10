"""Convolutions that double or halve an image through a filter, and the equalized layer of them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from .activation import Activation, bias_act, default_gain
from .fir import TAPS, Pair, fir_kernel, sides, upfirdn2d


def resampled_conv2d(
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "o i k l"],
    kernel: Float[Tensor, "*taps"] | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Pair = 0,
    groups: int = 1,
    flip: bool = False,
) -> Float[Tensor, "n o p q"]:
    """Up-sample by the filter, convolve, down-sample by the filter; done in the cheapest order, which gives the same.

    Args:
        kernel: of the resampling, as `upfirdn2d` takes it.
        padding: of the convolution, in pixels of the up-sampled image; what the filter needs is added.
        groups: of channels that do not see each other.
        flip: a true convolution; else a correlation, as PyTorch's are.
    """
    around = _with_filter(sides(padding), kernel, up, down)
    if up > 1 and weight.shape[2:] != (1, 1) and min(around) >= 0:
        # A transposed convolution turns its kernel: it is a true convolution of the image with zeros between.
        x = _transposed(x, weight if flip else weight.flip(2, 3), kernel, up, around, groups)
        return upfirdn2d(x, kernel, down=down) if down > 1 else x
    if flip:
        weight = weight.flip(2, 3)
    if weight.shape[2:] == (1, 1) and down == 1 and up > 1:
        return upfirdn2d(conv2d(x, weight, groups=groups), kernel, up=up, padding=around, gain=up**2)
    if weight.shape[2:] == (1, 1) and up == 1:
        x = upfirdn2d(x, kernel if down > 1 else None, down=down, padding=around)
        return conv2d(x, weight, groups=groups)
    if up > 1:
        x = conv2d(upfirdn2d(x, kernel, up=up, padding=around, gain=up**2), weight, groups=groups)
        return upfirdn2d(x, kernel, down=down) if down > 1 else x
    if down > 1:
        return conv2d(upfirdn2d(x, kernel, padding=around), weight, stride=down, groups=groups)
    left, right, top, bottom = around
    if left == right >= 0 and top == bottom >= 0:
        return conv2d(x, weight, padding=(top, left), groups=groups)
    return conv2d(upfirdn2d(x, None, padding=around), weight, groups=groups)


def _with_filter(
    around: tuple[int, int, int, int], kernel: Tensor | None, up: int, down: int
) -> tuple[int, int, int, int]:
    """The padding with what the filter needs of it, all of it at once and before anything else."""
    rows, columns = (1, 1) if kernel is None else (kernel.shape[0], kernel.shape[-1])
    left, right, top, bottom = around
    if up > 1:
        left, right = left + (columns + up - 1) // 2, right + (columns - up) // 2
        top, bottom = top + (rows + up - 1) // 2, bottom + (rows - up) // 2
    if down > 1:
        left, right = left + (columns - down + 1) // 2, right + (columns - down) // 2
        top, bottom = top + (rows - down + 1) // 2, bottom + (rows - down) // 2
    return left, right, top, bottom


def _transposed(
    x: Tensor, weight: Tensor, kernel: Tensor | None, up: int, around: tuple[int, int, int, int], groups: int
) -> Tensor:
    """True convolution of the image with zeros between its pixels, without ever making these; then the filter."""
    outputs, inputs, rows, columns = weight.shape
    if groups > 1:
        weight = weight.reshape(groups, outputs // groups, inputs, rows, columns).transpose(1, 2).flatten(0, 1)
    else:
        weight = weight.transpose(0, 1)
    x = conv_transpose2d(x, weight, stride=up, groups=groups)
    # All that a kernel reaches is there: rows - 1 too many before the first; up - 1 zeros are missing at the end.
    left, right, top, bottom = around
    cut = (left - columns + 1, right - columns + up, top - rows + 1, bottom - rows + up)
    return upfirdn2d(x, kernel, padding=cut, gain=up**2)


class EqualizedConv2d(nn.Module):
    """A convolution with weight / sqrt(fan-in), resampling, bias and activation.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        size: of the kernel.
        bias: whether there is one.
        activation: with its own gain.
        up: factor by which the image grows.
        down: factor by which it shrinks.
        taps: of the resampling filter.
        clamp: of the outputs, where the gain is 1; None for none.
        frozen: whether weight and bias are buffers, which no optimizer moves.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        bias: bool = True,
        activation: Activation = "linear",
        up: int = 1,
        down: int = 1,
        taps: tuple[float, ...] = TAPS,
        clamp: float | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.up, self.down, self.clamp, self.size = up, down, clamp, size
        self.register_buffer("kernel", fir_kernel(taps), persistent=False)
        self.kernel: Tensor
        self.weight: Tensor
        self.bias: Tensor | None
        values = torch.randn(outputs, inputs, size, size), torch.zeros(outputs) if bias else None
        for name, value in zip(("weight", "bias"), values, strict=True):
            if frozen or value is None:
                self.register_buffer(name, value)
            else:
                self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: Float[Tensor, "n c h w"], gain: float = 1.0) -> Float[Tensor, "n o p q"]:
        """Convolve.

        Args:
            gain: on top of the activation's; the clamp grows with it.
        """
        weight = (self.weight * (1 / math.sqrt(self.weight[0].numel()))).to(x.dtype)
        x = resampled_conv2d(
            x, weight, self.kernel, up=self.up, down=self.down, padding=self.size // 2, flip=self.up > 1
        )
        clamp = None if self.clamp is None else self.clamp * gain
        gain = default_gain(self.activation) * gain
        return bias_act(x, self.bias, activation=self.activation, gain=gain, clamp=clamp)
