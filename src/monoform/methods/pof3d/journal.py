"""What a training tells of itself: poses that the generator chooses, pictures of fakes beside real images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

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


def sheet(images: Float[Tensor, "n c h w"], *, columns: int, side: int) -> Float[Tensor, "a b 3"]:
    """Images, 0..1, in rows; of one channel in gray."""
    images = images.detach().float().cpu().clamp(0, 1).expand(-1, 3, -1, -1)
    if images.shape[-1] != side:
        images = functional.interpolate(images, size=(side, side), mode="nearest")
    rows: Sequence[Tensor] = images.split(columns)
    if len(rows[-1]) < columns:
        rows = [*rows[:-1], torch.cat([rows[-1], images.new_ones(columns - len(rows[-1]), *images.shape[1:])])]
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).permute(1, 2, 0)


def depth_shades(depth: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Near is bright, far is dark, over the range of each image."""
    low, high = depth.amin(dim=(1, 2, 3), keepdim=True), depth.amax(dim=(1, 2, 3), keepdim=True)
    return 1 - (depth - low) / (high - low).clamp(min=1e-6)
