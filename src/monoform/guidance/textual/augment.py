"""Pictures for a textual inversion: as published, heavily changed at random, or plain; by Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from ...data.images.fitting import center_cropped
from ...ranges import require_ranges

TRIES = 10
CHANGES = ("brightness", "contrast", "saturation", "hue")
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a picture, in this order, each with its probability.

    Attributes:
        size: pixels of the side of the result.
        wide: the shorter side is brought to this first, in sizes; the middle square of it is what goes on.
        rotate: probability of a rotation; what comes in is white, and the middle of it is kept.
        degrees: largest rotation to either side.
        kept: part of the square's side that is kept of a rotated picture.
        scale: smallest and largest area of the crop, in areas of the square.
        ratio: smallest and largest width of the crop over its height.
        jitter: probability that colors change.
        strength: largest change of brightness, contrast and saturation, as a part, and of the hue, in turns.
        gray: probability of a picture without colors.
        blur: probability of a blur.
        sigma: smallest and largest width of the blur, in pixels.
        kernel: pixels of the side of the blur's kernel.
        flip: probability of a mirrored picture.
        fill: gray level of what comes in at a rotation, 0..255.
    """

    size: int = 512
    wide: float = 1.25
    rotate: float = 0.75
    degrees: float = 10.0
    kept: float = 2 / 3
    scale: tuple[float, float] = (0.85, 1.15)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    jitter: float = 0.75
    strength: tuple[float, float, float, float] = (0.04, 0.04, 0.04, 0.04)
    gray: float = 0.1
    blur: float = 0.1
    sigma: tuple[float, float] = (0.1, 2.0)
    kernel: int = 5
    flip: float = 0.5
    fill: int = 255

    def __post_init__(self) -> None:
        chances = dict.fromkeys(("rotate", "jitter", "gray", "blur", "flip"), (0.0, 1.0))
        require_ranges(self, "the augmentation's", size=(8, 4096), wide=(1, 4), degrees=(0, 180), **chances)
        require_ranges(self, "the augmentation's", kept=(0.1, 1), scale=(0.01, 4), ratio=(0.1, 10), sigma=(1e-3, 100))
        require_ranges(self, "the augmentation's", strength=(0, 0.5), kernel=(1, 99), fill=(0, 255))

    @property
    def changes(self) -> list[tuple[str, float]]:
        """Names of `CHANGES` with their strengths."""
        return list(zip(CHANGES, self.strength, strict=True))


@dataclass(frozen=True)
class Draw:
    """What happens to one picture; None where something does not.

    Attributes:
        angle: degrees, counterclockwise.
        crop: left, top, width, height.
        changes: names of `CHANGES` in order, with their factors (of the hue: turns).
        gray: whether colors go.
        sigma: of the blur, in pixels.
        flip: whether it is mirrored.
        coins: uniform draws that decided on rotation, colors, gray, blur and mirror.
    """

    angle: float | None
    crop: tuple[int, int, int, int]
    changes: tuple[tuple[str, float], ...] | None
    gray: bool
    sigma: float | None
    flip: bool
    coins: tuple[float, ...] = ()


def augmented(image: Image.Image, options: Augmentation, generator: torch.Generator) -> Image.Image:
    """A changed square of a picture.

    Args:
        image: of any size, RGB.
        generator: draws what happens.
    """
    return apply_draw(image, options, draw(options, generator))


def draw(options: Augmentation, generator: torch.Generator) -> Draw:
    """What happens to the next picture; numbers are drawn in the published order."""

    def uniform(low: float, high: float) -> float:
        return float(torch.empty(1).uniform_(low, high, generator=generator))

    coins = [_coin(generator)]
    angle = uniform(-options.degrees, options.degrees) if coins[0] <= options.rotate else None
    side = options.size if angle is not None else round(options.size * options.wide)
    crop = draw_crop(side, options, uniform, generator)
    coins.append(_coin(generator))
    changes = None
    if coins[1] <= options.jitter:
        order = torch.randperm(len(CHANGES), generator=generator).tolist()
        factors = [uniform(float(name != "hue") - most, float(name != "hue") + most) for name, most in options.changes]
        changes = tuple((CHANGES[which], factors[which]) for which in order)
    coins += [_coin(generator), _coin(generator)]
    sigma = uniform(*options.sigma) if coins[3] <= options.blur else None
    coins.append(_coin(generator))
    return Draw(angle, crop, changes, coins[2] < options.gray, sigma, coins[4] < options.flip, tuple(coins))


def draw_crop(
    side: int, options: Augmentation, uniform: Callable[[float, float], float], generator: torch.Generator
) -> tuple[int, int, int, int]:
    """A rectangle of a square: area and shape at random, tried until one fits; else all of it."""
    for _ in range(TRIES):
        area = side * side * uniform(*options.scale)
        ratio = math.exp(uniform(math.log(options.ratio[0]), math.log(options.ratio[1])))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= side and 0 < height <= side:
            top, left = (
                int(torch.randint(0, side - length + 1, (1,), generator=generator)) for length in (height, width)
            )
            return left, top, width, height
    return 0, 0, side, side


def _coin(generator: torch.Generator) -> float:
    return float(torch.rand(1, generator=generator))


def apply_draw(image: Image.Image, options: Augmentation, drawn: Draw) -> Image.Image:
    """The picture after what was drawn."""
    image = center_square(shorter_side(image, round(options.size * options.wide)), round(options.size * options.wide))
    if drawn.angle is not None:
        image = image.rotate(drawn.angle, Image.Resampling.NEAREST, fillcolor=(options.fill,) * 3)
        image = center_square(image, int(image.width * options.kept))
        image = image.resize((options.size, options.size), Image.Resampling.BILINEAR)
    left, top, width, height = drawn.crop
    image = image.crop((left, top, left + width, top + height))
    image = image.resize((options.size, options.size), Image.Resampling.BILINEAR)
    for name, amount in drawn.changes or ():
        image = changed(image, name, amount)
    if drawn.gray:
        image = image.convert("L").convert("RGB")
    if drawn.sigma is not None:
        image = blurred(image, drawn.sigma, options.kernel)
    return ImageOps.mirror(image) if drawn.flip else image


def plain(image: Image.Image, size: int, *, center_crop: bool, flip: bool, interpolation: str) -> Image.Image:
    """The path without augmentation: squeezed to a square, or the middle of it; mirrored or not."""
    if center_crop:
        image = center_cropped(image)
    image = image.resize((size, size), FILTERS[interpolation])
    return ImageOps.mirror(image) if flip else image


def in_range(image: Image.Image, *, published: bool = False) -> Float[Tensor, "h w 3"]:
    """Colors as `DiffusionPrior.encode` takes them, 0..1.

    Args:
        published: the release handed augmented pictures on as if 0..1 were -1..1: they look washed out, 0.5..1.
    """
    values = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    return 0.5 * values + 0.5 if published else values


def shorter_side(image: Image.Image, side: int) -> Image.Image:
    """The picture with its shorter side of so many pixels."""
    short = min(image.size)
    width, height = (side if edge == short else int(side * edge / short) for edge in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def center_square(image: Image.Image, side: int) -> Image.Image:
    """A square of the middle."""
    left, top = round((image.width - side) / 2), round((image.height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def changed(image: Image.Image, name: str, amount: float) -> Image.Image:
    """One of `CHANGES`: a factor, or the turns of the hue."""
    if name != "hue":
        kinds = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast}
        return kinds.get(name, ImageEnhance.Color)(image).enhance(amount)
    hue, saturation, value = image.convert("HSV").split()
    shifted: UInt8[np.ndarray, "h w"] = np.asarray(hue) + np.uint8(int(amount * 255) % 256)
    return Image.merge("HSV", (Image.fromarray(shifted), saturation, value)).convert("RGB")


def blurred(image: Image.Image, sigma: float, kernel: int) -> Image.Image:
    """A Gaussian blur by a kernel of so many pixels; the border is reflected."""
    places = np.linspace(-(kernel - 1) / 2, (kernel - 1) / 2, kernel)
    line = np.exp(-0.5 * (places / sigma) ** 2)
    line /= line.sum()
    pad = kernel // 2
    values = np.pad(np.asarray(image, dtype=np.float64), ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    for axis in (0, 1):
        count = values.shape[axis] - 2 * pad
        values = sum(weight * values.take(range(k, k + count), axis=axis) for k, weight in enumerate(line))
    return Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8))
