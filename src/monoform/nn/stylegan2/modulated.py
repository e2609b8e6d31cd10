"""Convolution whose kernels a style scales for each sample (StyleGAN2, Karras et al. 2020, section 2.2)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from .convolution import resampled_conv2d
from .fir import Pair

EPSILON = 1e-8


def modulated_conv2d(
    x: Float[Tensor, "n i h w"],
    weight: Float[Tensor, "o i k l"],
    styles: Float[Tensor, "n i"],
    *,
    noise: Float[Tensor, "*#n p q"] | None = None,
    up: int = 1,
    down: int = 1,
    padding: Pair = 0,
    kernel: Float[Tensor, "*taps"] | None = None,
    demodulate: bool = True,
    flip: bool = False,
    fused: bool = False,
) -> Float[Tensor, "n o p q"]:
    """Convolve each sample with the weights times its styles, each output kernel brought to unit length.

    Args:
        noise: added to the result, the same to all channels.
        up: factor by which the image grows, through the filter `kernel`.
        down: factor by which it shrinks.
        padding: of the convolution.
        demodulate: whether output kernels are brought to unit length.
        flip: a true convolution instead of a correlation.
        fused: make each sample's kernels and convolve in groups; else scale what goes in and what comes out, which is
            the same and needs no kernels of their own.
    """
    if x.dtype == torch.float16 and demodulate:  # products of large styles and weights would overflow
        weight = weight / (math.sqrt(weight[0].numel()) * weight.flatten(1).abs().amax(1)[:, None, None, None])
        styles = styles / styles.abs().amax(dim=1, keepdim=True)
    if fused:
        x = _grouped(x, weight, styles, up, down, padding, kernel, demodulate, flip)
        return x if noise is None else x + noise.to(x.dtype)
    x = x * styles.to(x.dtype)[:, :, None, None]
    x = resampled_conv2d(x, weight.to(x.dtype), kernel, up=up, down=down, padding=padding, flip=flip)
    if not demodulate:
        return x if noise is None else x + noise.to(x.dtype)
    scale = demodulation(weight, styles).to(x.dtype)[:, :, None, None]
    return x * scale if noise is None else torch.addcmul(noise.to(x.dtype), x, scale)


def demodulation(weight: Float[Tensor, "o i k l"], styles: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
    """1 / length of each output kernel once the styles have scaled it."""
    return (styles.square() @ weight.square().sum(dim=(2, 3)).T + EPSILON).rsqrt()


def modulated_in_place(
    x: Float[Tensor, "n i h w"],
    weight: Float[Tensor, "o i k l"],
    styles: Float[Tensor, "n i"],
    scale: Float[Tensor, "n o"] | None,
    bias: Float[Tensor, " o"],
    *,
    up: int = 1,
    kernel: Float[Tensor, "*taps"] | None = None,
) -> Float[Tensor, "n o p q"]:
    """The quick twin of `modulated_conv2d` where no gradients are asked for: a layer of the same size or the double.

    One sample has its styles in its kernels and the bias in its convolution: none of its pixels is touched again.

    Args:
        scale: of the results before the bias; None for 1.
        bias: added to them.
    """
    padding, flip = weight.shape[-1] // 2, up > 1
    if len(x) == 1:
        factor = styles[0] if scale is None else scale[0][:, None] * styles[0]
        weight = weight * factor[..., None, None]
        if up == 1:
            return conv2d(x, weight, bias, padding=padding)
        return resampled_conv2d(x, weight, kernel, up=up, padding=padding, flip=flip).add_(bias[:, None, None])
    x = resampled_conv2d(x * styles[:, :, None, None], weight, kernel, up=up, padding=padding, flip=flip)
    if scale is not None:
        x = x.mul_(scale[:, :, None, None])
    return x.add_(bias[:, None, None])


def _grouped(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    up: int,
    down: int,
    padding: Pair,
    kernel: Tensor | None,
    demodulate: bool,
    flip: bool,
) -> Tensor:
    n, outputs = len(x), len(weight)
    kernels = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        kernels = kernels * (kernels.square().sum(dim=(2, 3, 4), keepdim=True) + EPSILON).rsqrt()
    x = resampled_conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        kernels.to(x.dtype).flatten(0, 1),
        kernel,
        up=up,
        down=down,
        padding=padding,
        groups=n,
        flip=flip,
    )
    return x.reshape(n, outputs, *x.shape[2:])
