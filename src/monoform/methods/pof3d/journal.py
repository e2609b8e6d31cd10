"""What a training tells of itself: poses that the generator chooses, pictures of fakes beside real images."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

YAW_BINS, ELEVATION_BINS = 12, 6
BAR, INK = (64, 115, 191), (40, 40, 40)


def polar_degrees(elevation: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Degrees above the equator of elevation parameters; what lies beyond the poles counts as the pole."""
    return 90 - torch.rad2deg(torch.arccos((1 - 2 * elevation / math.pi).clamp(-1, 1)))


def pose_figures(poses: Float[Tensor, "n c"]) -> dict[str, float]:
    """Where the generator looks from, of poses (yaw, elevation parameter, ...) in radians.

    Returns:
        Circular deviation of the yaw and deviation of the elevation, degrees; the mean elevation; the share of poses
        beyond the poles; shares of 12 bins of the yaw from 0 to 360 degrees and of 6 of the elevation from -90 to 90.
    """
    yaw, elevation = poses[:, 0].double(), poses[:, 1].double()
    length = torch.hypot(yaw.cos().mean(), yaw.sin().mean()).clamp(1e-12, 1)
    degrees = polar_degrees(elevation)
    figures = {
        "yaw_deviation": math.degrees(math.sqrt(max(-2 * math.log(float(length)), 0.0))),
        "elevation_mean": float(degrees.mean()),
        "elevation_deviation": float(degrees.std(correction=0)),
        "beyond_poles": float(((elevation < 0) | (elevation > math.pi)).double().mean()),
    }
    for name, share in zip(_names("yaw", 0, 360, YAW_BINS), yaw_shares(poses).tolist(), strict=True):
        figures[name] = share
    for name, share in zip(_names("elevation", -90, 90, ELEVATION_BINS), elevation_shares(poses).tolist(), strict=True):
        figures[name] = share
    return figures


def yaw_shares(poses: Float[Tensor, "n c"], bins: int = YAW_BINS) -> Float[Tensor, " bins"]:
    """Histogram of the yaw around the circle, of sum 1."""
    turn = poses[:, 0].double().remainder(2 * math.pi) / (2 * math.pi)
    return torch.bincount((turn * bins).long().clamp(0, bins - 1), minlength=bins) / len(poses)


def elevation_shares(poses: Float[Tensor, "n c"], bins: int = ELEVATION_BINS) -> Float[Tensor, " bins"]:
    """Histogram of the elevation from pole to pole, of sum 1."""
    height = (polar_degrees(poses[:, 1].double()) + 90) / 180
    return torch.bincount((height * bins).long().clamp(0, bins - 1), minlength=bins) / len(poses)


def _names(what: str, low: int, high: int, bins: int) -> list[str]:
    return [f"{what}_from_{low + number * (high - low) // bins}" for number in range(bins)]


def pose_picture(poses: Float[Tensor, "n c"], *, height: int = 96, width: int = 288) -> Float[Tensor, "h w 3"]:
    """Histograms with their axes, the yaw above the elevation: degrees, and the share of poses in the highest bar."""
    plots = [
        _plot("yaw", yaw_shares(poses, 36), range(0, 361, 90), height, width),
        _plot("elevation", elevation_shares(poses, 18), range(-90, 91, 45), height, width),
    ]
    return torch.from_numpy(np.concatenate(plots)).float() / 255


def _plot(
    name: str, shares: Float[Tensor, " bins"], ticks: range, height: int, width: int
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Bars over an axis of degrees, with room for words around them."""
    left, top, below = 12, 16, 16
    image = Image.new("RGB", (width + 2 * left, height + top + below), "white")
    draw, floor = ImageDraw.Draw(image), top + height
    most = max(float(shares.max()), 1e-9)
    draw.text((left, 2), f"{name}, degrees; highest bar {100 * most:.0f} %", fill=INK)
    for number, share in enumerate(shares.tolist()):
        start, end = (left + place * width // len(shares) for place in (number, number + 1))
        if share > 0:
            draw.rectangle((start, floor - round(share / most * height), end - 1, floor), fill=BAR)
    draw.line((left, floor, left + width, floor), fill=INK)
    for tick in ticks:
        x = left + (tick - ticks[0]) * width // (ticks[-1] - ticks[0])
        draw.line((x, floor, x, floor + 3), fill=INK)
        draw.text((x, floor + 3), str(tick), fill=INK, anchor="ma")
    return np.asarray(image)
