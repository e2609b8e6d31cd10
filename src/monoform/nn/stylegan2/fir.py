"""Finite impulse response filters on images: up-sample, filter, down-sample (StyleGAN2, Karras et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

TAPS = (1.0, 3.0, 3.0, 1.0)
"""Of every resampling in StyleGAN2: binomial, a bilinear interpolation where an image is doubled."""
LONG = 8
"""Taps from which on a filter is applied along one axis after the other."""
Pair = int | Sequence[int]


def fir_kernel(taps: Sequence[float] | Sequence[Sequence[float]] = TAPS) -> Float[Tensor, "*taps"]:
    """A filter that keeps the mean: its taps divided by their sum. One row is applied along both axes."""
    kernel = torch.tensor(taps, dtype=torch.float32)
    return kernel / kernel.sum()


def upfirdn2d(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "*taps"] | None,
    *,
    up: Pair = 1,
    down: Pair = 1,
    padding: Pair = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c i j"]:
    """Insert zeros after each pixel, pad or crop, convolve, keep every `down`-th pixel.

    Args:
        kernel: (rows, columns), or (taps,) along both axes; None: a single 1.
        up: pixels for each, of both axes or (x, y).
        down: of as many one is kept, of both axes or (x, y).
        padding: of the image with its zeros: all sides, (x, y) or (left, right, top, bottom); negative crops.
        flip: correlate with the kernel as it stands instead of convolving with it.
        gain: of the result.
    """
    up_x, up_y = _pair(up)
    down_x, down_y = _pair(down)
    left, right, top, bottom = sides(padding)
    if kernel is None:
        kernel = x.new_ones(1)
    kernel = kernel.to(x)
    if kernel.ndim == 1 and len(kernel) < LONG:
        kernel = torch.outer(kernel, kernel)
    if kernel.ndim == 1:  # one axis after the other is less work
        x = upfirdn2d(x, kernel[None], up=(up_x, 1), down=(down_x, 1), padding=(left, right, 0, 0), flip=flip)
        return upfirdn2d(
            x, kernel[:, None], up=(1, up_y), down=(1, down_y), padding=(0, 0, top, bottom), flip=flip, gain=gain
        )
    kernel = kernel * gain
    if up_x == up_y > 1 and min(left, right, top, bottom) >= 0:
        return _transposed(x, kernel.flip(0, 1) if flip else kernel, up_x, (left, right, top, bottom))[
            :, :, ::down_y, ::down_x
        ]
    x = _padded(_spread(x, up_x, up_y), (left, right, top, bottom))
    weight = (kernel if flip else kernel.flip(0, 1)).expand(x.shape[1], 1, -1, -1)
    return conv2d(x, weight, stride=(down_y, down_x), groups=x.shape[1])


def filter2d(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "*taps"],
    *,
    padding: Pair = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c i j"]:
    """An image of the same size, filtered; `padding` is added to what this needs."""
    rows, columns = _size(kernel)
    around = (columns // 2, (columns - 1) // 2, rows // 2, (rows - 1) // 2)
    return upfirdn2d(x, kernel, padding=_sum(around, padding), flip=flip, gain=gain)


def upsample2d(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "*taps"],
    factor: Pair = 2,
    *,
    padding: Pair = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c i j"]:
    """An image of `factor` times the size, of the same mean; `padding` is added to what this needs."""
    rows, columns = _size(kernel)
    fx, fy = _pair(factor)
    around = ((columns + fx - 1) // 2, (columns - fx) // 2, (rows + fy - 1) // 2, (rows - fy) // 2)
    return upfirdn2d(x, kernel, up=(fx, fy), padding=_sum(around, padding), flip=flip, gain=gain * fx * fy)


def downsample2d(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "*taps"],
    factor: Pair = 2,
    *,
    padding: Pair = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c i j"]:
    """An image of 1 / `factor` of the size; `padding` is added to what this needs."""
    rows, columns = _size(kernel)
    fx, fy = _pair(factor)
    around = ((columns - fx + 1) // 2, (columns - fx) // 2, (rows - fy + 1) // 2, (rows - fy) // 2)
    return upfirdn2d(x, kernel, down=(fx, fy), padding=_sum(around, padding), flip=flip, gain=gain)


def sides(padding: Pair) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of a padding in any of its forms."""
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) == 2:
        x, y = padding
        return x, x, y, y
    left, right, top, bottom = padding
    return left, right, top, bottom


def _pair(value: Pair) -> tuple[int, int]:
    x, y = (value, value) if isinstance(value, int) else value
    return x, y


def _size(kernel: Tensor) -> tuple[int, int]:
    return (kernel.shape[0], kernel.shape[-1])


def _sum(around: tuple[int, int, int, int], padding: Pair) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(around, sides(padding), strict=True))


def _spread(x: Tensor, up_x: int, up_y: int) -> Tensor:
    """Zeros after each pixel."""
    if up_x == up_y == 1:
        return x
    n, c, h, w = x.shape
    x = pad(x.reshape(n, c, h, 1, w, 1), (0, up_x - 1, 0, 0, 0, up_y - 1))
    return x.reshape(n, c, h * up_y, w * up_x)


def _padded(x: Tensor, around: tuple[int, int, int, int]) -> Tensor:
    return pad(x, around) if any(around) else x


def _transposed(x: Tensor, kernel: Tensor, up: int, around: tuple[int, int, int, int]) -> Tensor:
    """Convolution of the image with zeros between its pixels, without ever making these."""
    rows, columns = kernel.shape
    left, right, top, bottom = around
    # All that the kernel reaches is there: its size - 1 too many before the first; up - 1 zeros are missing at the end.
    around = (left - columns + 1, right - columns + up, top - rows + 1, bottom - rows + up)
    even = min(around) == max(around) <= 0
    weight = kernel.expand(x.shape[1], 1, -1, -1)
    x = conv_transpose2d(x, weight, stride=up, padding=-around[0] if even else 0, groups=x.shape[1])
    return x if even else _padded(x, around)
