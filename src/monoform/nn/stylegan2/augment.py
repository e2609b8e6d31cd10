"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with limited data", appendix B)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .augment_draws import Draws
from .augment_matrices import around_axis, matrix, rotate, scale, shift
from .fir import downsample2d, upsample2d
from .wavelets import filter_bank, low_pass

BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Share of the power of natural images in each of the four bands: filters keep the sum."""


@dataclass(frozen=True)
class AugmentOptions:
    """How often each transformation is drawn, as a factor on the strength of all, and how far it goes.

    Attributes:
        xflip: mirror left to right.
        rotate90: turn by quarters.
        xint: shift by whole pixels.
        xint_max: most of it, as a share of the size.
        scale: larger or smaller.
        rotate: turn by any angle.
        aniso: wider or narrower.
        xfrac: shift by parts of pixels.
        scale_std: of the logarithm to base 2.
        rotate_max: largest angle, 1 for a whole turn either way.
        aniso_std: of the logarithm to base 2.
        xfrac_std: as a share of the size.
        brightness: add to all channels.
        contrast: multiply all channels.
        lumaflip: invert brightness, not hue.
        hue: turn around the gray axis.
        saturation: scale away from the gray axis.
        brightness_std: of what is added.
        contrast_std: of the logarithm to base 2.
        hue_max: largest angle, 1 for a whole turn either way.
        saturation_std: of the logarithm to base 2.
        imgfilter: amplify four frequency bands.
        imgfilter_bands: factor for each band.
        imgfilter_std: of the logarithm to base 2.
        noise: add noise.
        noise_std: of its own standard deviation.
        cutout: blank a rectangle.
        cutout_size: as a share of the size.
    """

    xflip: float = 0.0
    rotate90: float = 0.0
    xint: float = 0.0
    xint_max: float = 0.125
    scale: float = 0.0
    rotate: float = 0.0
    aniso: float = 0.0
    xfrac: float = 0.0
    scale_std: float = 0.2
    rotate_max: float = 1.0
    aniso_std: float = 0.2
    xfrac_std: float = 0.125
    brightness: float = 0.0
    contrast: float = 0.0
    lumaflip: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    brightness_std: float = 0.2
    contrast_std: float = 0.5
    hue_max: float = 1.0
    saturation_std: float = 1.0
    imgfilter: float = 0.0
    imgfilter_bands: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    imgfilter_std: float = 1.0
    noise: float = 0.0
    noise_std: float = 0.1
    cutout: float = 0.0
    cutout_size: float = 0.5


UNTURNED = AugmentOptions(xint=1, scale=1, aniso=1, xfrac=1, brightness=1, contrast=1, lumaflip=1, hue=1, saturation=1)
"""No mirror and no rotation: for images whose upright is learned."""


class AugmentPipe(nn.Module):
    """Random transformations of images, the same for all channels of one.

    Args:
        options: which and how far.
        strength: p, 0..1, the buffer `p` that a training moves.
    """

    p: Tensor
    Hz_geom: Tensor
    Hz_fbank: Tensor

    def __init__(self, options: AugmentOptions = UNTURNED, strength: float = 0.0) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("p", torch.tensor(float(strength)))
        self.register_buffer("Hz_geom", torch.tensor(low_pass(), dtype=torch.float32))
        self.register_buffer("Hz_fbank", torch.tensor(filter_bank(), dtype=torch.float32))

    def forward(
        self,
        images: Float[Tensor, "b c h w"],
        *,
        generator: torch.Generator | None = None,
        percentile: float | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """Transformed images.

        Args:
            images: about -1..1; one, three or several times three channels.
            generator: of the draws, on the device of the images.
            percentile: instead of drawing, put each parameter at this percentile of its distribution, 0..1.
        """
        draws = Draws(len(images), self.p, images.device, generator, percentile)
        images = self._moved(images, draws)
        images = self._recolored(images, draws)
        images = self._filtered(images, draws)
        return self._corrupted(images, draws)

    def _moved(self, images: Tensor, draws: Draws) -> Tensor:
        turned = _inverse_geometry(self.options, draws, images.shape[3], images.shape[2])
        return images if turned is None else warped(images, turned, self.Hz_geom)

    def _recolored(self, images: Tensor, draws: Draws) -> Tensor:
        change = _colors(self.options, draws, images.shape[1])
        if change is None:
            return images
        b, c, h, w = images.shape
        linear, offset = change[:, :3, :3], change[:, :3, 3:]
        if c == 1:
            flat = images.reshape(b, 1, h * w)
            gain, add = linear.mean(dim=1, keepdim=True).sum(dim=2, keepdim=True), offset.mean(dim=1, keepdim=True)
            return (flat * gain + add).reshape(b, c, h, w)
        flat = images.reshape(b, c // 3, 3, h * w)
        return (linear[:, None] @ flat + offset[:, None]).reshape(b, c, h, w)

    def _filtered(self, images: Tensor, draws: Draws) -> Tensor:
        options, (b, c) = self.options, images.shape[:2]
        if options.imgfilter <= 0:
            return images
        power = images.new_tensor(BAND_POWER)
        gains = images.new_ones(b, len(power))
        for band, share in enumerate(options.imgfilter_bands):
            drawn = draws.chosen(options.imgfilter * share, draws.log_normal(options.imgfilter_std), 1.0)
            drawn = drawn if share > 0 else torch.ones_like(drawn)
            one = images.new_ones(b, len(power)).index_copy(
                1, torch.tensor([band], device=images.device), drawn[:, None]
            )
            gains = gains * one / (power * one.square()).sum(dim=1, keepdim=True).sqrt()
        taps = (gains @ self.Hz_fbank)[:, None].expand(b, c, -1).reshape(b * c, 1, -1)
        pad = taps.shape[2] // 2
        flat = functional.pad(images.reshape(1, b * c, *images.shape[2:]), [pad] * 4, mode="reflect")
        flat = functional.conv2d(flat, taps[:, :, None], groups=b * c)
        return functional.conv2d(flat, taps[..., None], groups=b * c).reshape(images.shape)

    def _corrupted(self, images: Tensor, draws: Draws) -> Tensor:
        options, (b, _, h, w) = self.options, images.shape
        if options.noise > 0:
            sigma = draws.chosen(options.noise, draws.half_normal() * options.noise_std, 0.0)
            noise = torch.randn(images.shape, generator=draws.generator, device=images.device)
            images = images + noise * sigma[:, None, None, None]
        if options.cutout > 0:
            size = draws.chosen(options.cutout, torch.full((b,), options.cutout_size, device=images.device), 0.0)
            x, y = draws.uniform(), draws.uniform()
            columns = ((torch.arange(w, device=images.device) + 0.5) / w - x[:, None]).abs() >= size[:, None] / 2
            rows = ((torch.arange(h, device=images.device) + 0.5) / h - y[:, None]).abs() >= size[:, None] / 2
            images = images * (columns[:, None, :] | rows[:, :, None])[:, None]
        return images


def _inverse_geometry(options: AugmentOptions, draws: Draws, width: int, height: int) -> Tensor | None:
    """From places in the transformed image to places in the given one, in pixels from its center; None for none."""
    turned: Tensor | None = None

    def then(step: Tensor) -> None:
        nonlocal turned
        turned = step if turned is None else turned @ step

    if options.xflip > 0:
        flip = draws.chosen(options.xflip, draws.integer(2), 0.0)
        then(scale(1 - 2 * flip, torch.ones_like(flip)))
    if options.rotate90 > 0:
        quarters = draws.chosen(options.rotate90, draws.integer(4), 0.0)
        then(rotate(quarters * (math.pi / 2)))
    if options.xint > 0:
        x, y = draws.pair(options.xint, lambda: (draws.uniform() * 2 - 1) * options.xint_max)
        then(shift(-(x * width).round(), -(y * height).round()))
    if options.scale > 0:
        factor = draws.chosen(options.scale, draws.log_normal(options.scale_std), 1.0)
        then(scale(1 / factor, 1 / factor))
    # Two rotations around the anisotropic scaling: together they happen as often as the other transformations.
    each = 1 - (1 - (options.rotate * draws.p).clamp(0, 1)).sqrt()
    if options.rotate > 0:
        angle = (draws.uniform() * 2 - 1) * (math.pi * options.rotate_max)
        then(rotate(draws.when(each, angle, 0.0)))
    if options.aniso > 0:
        factor = draws.chosen(options.aniso, draws.log_normal(options.aniso_std), 1.0)
        then(scale(1 / factor, factor))
    if options.rotate > 0 and draws.percentile is None:
        angle = (draws.uniform() * 2 - 1) * (math.pi * options.rotate_max)
        then(rotate(draws.when(each, angle, 0.0)))
    if options.xfrac > 0:
        x, y = draws.pair(options.xfrac, lambda: draws.normal() * options.xfrac_std)
        then(shift(-x * width, -y * height))
    return turned


def _colors(options: AugmentOptions, draws: Draws, channels: int) -> Tensor | None:
    """(b, 4, 4): the affine change of colors; None for none."""
    change: Tensor | None = None
    gray = torch.tensor([1.0, 1.0, 1.0, 0.0], device=draws.device) / math.sqrt(3)
    along, eye = torch.outer(gray, gray), torch.eye(4, device=draws.device)

    def then(step: Tensor) -> None:
        nonlocal change
        change = step if change is None else step @ change

    if options.brightness > 0:
        add = draws.chosen(options.brightness, draws.normal() * options.brightness_std, 0.0)
        then(matrix([[1, 0, 0, add], [0, 1, 0, add], [0, 0, 1, add], [0, 0, 0, 1]]))
    if options.contrast > 0:
        gain = draws.chosen(options.contrast, draws.log_normal(options.contrast_std), 1.0)
        then(matrix([[gain, 0, 0, 0], [0, gain, 0, 0], [0, 0, gain, 0], [0, 0, 0, 1]]))
    if options.lumaflip > 0:
        flip = draws.chosen(options.lumaflip, draws.integer(2), 0.0)[:, None, None]
        then(eye - 2 * along * flip)
    if options.hue > 0 and channels > 1:
        angle = draws.chosen(options.hue, (draws.uniform() * 2 - 1) * (math.pi * options.hue_max), 0.0)
        then(around_axis(gray[:3], angle))
    if options.saturation > 0 and channels > 1:
        gain = draws.chosen(options.saturation, draws.log_normal(options.saturation_std), 1.0)[:, None, None]
        then(along + (eye - along) * gain)
    return change


def warped(
    images: Float[Tensor, "b c h w"], inverse: Float[Tensor, "b 3 3"], taps: Float[Tensor, " t"]
) -> Float[Tensor, "b c h w"]:
    """Images warped without aliasing: reflected at the border, doubled by a wavelet filter, sampled, halved.

    Args:
        inverse: from places in the result to places in `images`, in pixels from the center.
        taps: the low-pass filter, applied along x and y.
    """
    height, width = images.shape[2:]
    pad = len(taps) // 4
    x0, x1, y0, y1 = _margins(inverse, width, height, pad)
    images = functional.pad(images, [x0, x1, y0, y1], mode="reflect")

    number = torch.ones(1, device=inverse.device)
    inverse = shift(number * (x0 - x1) / 2, number * (y0 - y1) / 2) @ inverse
    images = upsample2d(images, taps)
    inverse = scale(number * 2, number * 2) @ inverse @ scale(number / 2, number / 2)
    inverse = shift(-number / 2, -number / 2) @ inverse @ shift(number / 2, number / 2)
    size = ((width + 2 * pad) * 2, (height + 2 * pad) * 2)
    unit = scale(number * 2 / images.shape[3], number * 2 / images.shape[2]) @ inverse
    unit = unit @ scale(number * size[0] / 2, number * size[1] / 2)
    grid = functional.affine_grid(unit[:, :2], [*images.shape[:2], size[1], size[0]], align_corners=False)
    images = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return downsample2d(images, taps, padding=-2 * pad, flip=True)


def _margins(inverse: Tensor, width: int, height: int, pad: int) -> list[int]:
    """Pixels left, right, above, below that the corners of the transformed images reach, within one reflection."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = inverse.new_tensor([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]])
    reached = (inverse @ corners.T)[:, :2].permute(1, 0, 2).flatten(1)
    most = torch.cat([-reached, reached]).amax(dim=1)  # left, above, right, below
    most = most + inverse.new_tensor([2 * pad - x, 2 * pad - y] * 2)
    largest = [width - 1, height - 1] * 2
    left, above, right, below = (
        min(max(math.ceil(value), 0), limit) for value, limit in zip(most.tolist(), largest, strict=True)
    )
    return [left, right, above, below]
