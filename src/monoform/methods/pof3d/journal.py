"""What a training tells of itself: poses that the generator chooses, pictures of fakes beside real images."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

YAW_BINS, ELEVATION_BINS = 12, 6
BAR = (0.25, 0.45, 0.75)


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
    """Bars of both histograms, the yaw above the elevation."""
    rows = [_bars(yaw_shares(poses, 36), height, width), _bars(elevation_shares(poses, 18), height, width)]
    return torch.cat([rows[0], torch.full((4, width, 3), 0.5), rows[1]])


def _bars(shares: Float[Tensor, " bins"], height: int, width: int) -> Float[Tensor, "h w 3"]:
    which = torch.arange(width) * len(shares) // width
    level = shares.float().cpu() / shares.max().clamp(min=1e-9)
    filled = torch.arange(height, 0, -1)[:, None] <= (level[which] * height)[None]
    return torch.where(filled[..., None], torch.tensor(BAR), torch.ones(3))
