"""Random colours for training on scans: saturation, hue, contrast and brightness, the same for all views of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_GRAY = (0.2989, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class ColorChange:
    """A change of colors.

    Attributes:
        hue: shift in turns.
        saturation: factor; 1 changes nothing.
        brightness: factor; 1 changes nothing.
        contrast: factor; 1 changes nothing.
    """

    hue: float = 0.0
    saturation: float = 1.0
    brightness: float = 1.0
    contrast: float = 1.0


def draw_color_change(*, hue: float = 0.1, factor: float = 0.1, generator: torch.Generator) -> ColorChange:
    """Hue in -hue..hue, then saturation, brightness and contrast in 1-factor..1+factor, uniform."""
    draws = (2.0 * torch.rand(4, generator=generator, dtype=torch.float64) - 1.0).tolist()
    return ColorChange(hue * draws[0], *(1.0 + factor * draw for draw in draws[1:]))


def changed_colors(images: Float[Tensor, "v h w 3"], change: ColorChange) -> Float[Tensor, "v h w 3"]:
    """Images 0..1 after saturation, hue, contrast and brightness, in this order, clamped to 0..1 after each.

    Saturation mixes with each pixel's grey, contrast with the image's mean grey, both beyond 1 too.
    """
    images = (change.saturation * images + (1.0 - change.saturation) * _gray(images)).clamp(0.0, 1.0)
    hue, saturation, value = _hsv(images).unbind(-1)
    images = _rgb(torch.stack(((hue + change.hue) % 1.0, saturation, value), dim=-1)).clamp(0.0, 1.0)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = (change.contrast * images + (1.0 - change.contrast) * mean).clamp(0.0, 1.0)
    return (change.brightness * images).clamp(0.0, 1.0)


def _gray(images: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 1"]:
    return (images * images.new_tensor(_GRAY)).sum(dim=-1, keepdim=True)


def _hsv(images: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Hue in turns from red over green, saturation and value (Smith 1978); hue 0 for greys."""
    red, green, blue = images.unbind(-1)
    value, least = images.amax(dim=-1), images.amin(dim=-1)
    chroma = value - least
    safe = torch.where(chroma > 0, chroma, 1.0)
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    saturation = chroma / torch.where(value > 0, value, 1.0)
    return torch.stack(((sector / 6.0) % 1.0, saturation, value), dim=-1)


def _rgb(colors: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """The inverse: each channel falls from the value by the chroma, as far as the hue is away from its own."""
    hue, saturation, value = colors.unbind(-1)
    start = colors.new_tensor([5.0, 3.0, 1.0])
    turn = (start + 6.0 * hue[..., None]) % 6.0
    fall = torch.minimum(turn, 4.0 - turn).clamp(0.0, 1.0)
    return value[..., None] * (1.0 - saturation[..., None] * fall)
