"""Pictures of a pose: the rendered scene over the photo, the way from the start, and the error's curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..camera import Camera
from ..methods import PoseEstimate
from ..methods.inerf import working_image
from ..metrics.pose import rotation_error
from ..render.camera_render import camera_colors
from ..scene import Photo
from .pose_scenes import PoseTarget

OVERLAY_SIDE, FILM_SIDE = 384, 192
SHARE = 0.7  # of the rendered picture in a film's frames
INK, PAPER, GRID, SECOND = (40, 40, 40), 255, (225, 225, 225), (200, 60, 30)


def comparison(photo: Photo, camera: Camera, scene: PoseTarget) -> Float[np.ndarray, "h w 3"]:
    """The photo, what the scene looks like from the camera, and both mixed, side by side."""
    seen, small = _sized(photo, camera, scene, OVERLAY_SIDE)
    drawn = rendered(scene, small)
    return np.concatenate((seen, drawn, 0.5 * seen + 0.5 * drawn), axis=1)


def animation(
    photo: Photo, estimate: PoseEstimate, scene: PoseTarget, frames: int
) -> Iterator[Float[np.ndarray, "h w 3"]]:
    """The rendered picture over the photo, from the start to the result; the last frame stays for a second."""
    seen, small = _sized(photo, estimate.camera, scene, FILM_SIDE)
    count = len(estimate.path)
    chosen = sorted({round(index) for index in np.linspace(0, count - 1, min(frames, count))})
    frame = seen
    for index in chosen:
        pose = estimate.path[index][None].to(small.world_from_camera)
        at = Camera(pose, small.intrinsics, small.width, small.height, small.model)
        frame = SHARE * rendered(scene, at) + (1.0 - SHARE) * seen
        yield frame
    for _ in range(6):
        yield frame


def rendered(scene: PoseTarget, camera: Camera) -> Float[np.ndarray, "h w 3"]:
    """The scene rendered for one camera."""
    seen = camera_colors(scene.renderer, camera)
    return seen.rgb.reshape(camera.height, camera.width, 3).float().cpu().numpy()


def curve(estimate: PoseEstimate, truth: Camera | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """The differences of pictures over time, as a plot; and the angle to the truth in degrees where it is known."""
    seconds = estimate.seconds.numpy()
    series = [("difference of pictures", estimate.losses.numpy(), INK)]
    if truth is not None:
        angles = rotation_error(estimate.path, truth.world_from_camera.to(estimate.path).expand_as(estimate.path))
        series.append(("rotation error, degrees", np.degrees(angles.numpy()), SECOND))
    return np.concatenate([_plot(seconds, values, title, ink) for title, values, ink in series], axis=0)


def number_curves(series: Mapping[str, Float[np.ndarray, " n"]]) -> UInt8[np.ndarray, "h w 3"]:
    """A plot for each name, of values over the numbers of pictures."""
    plots = []
    for number, (title, values) in enumerate(series.items()):
        places = np.arange(len(values), dtype=np.float64)
        plots.append(_plot(places, values, title, COLORS[number % len(COLORS)], unit="pictures"))
    return np.concatenate(plots, axis=0)


def _plot(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], title: str, ink: tuple[int, int, int], unit: str = "s"
) -> UInt8[np.ndarray, "h w 3"]:
    """A line over time with a logarithmic scale."""
    width, height, left, bottom, top = 560, 240, 70, 36, 28
    picture = np.full((height, width, 3), PAPER, np.uint8)
    known = np.isfinite(y) & (y > 0)
    if not known.any():
        return picture
    x, level = x[known], np.log10(np.maximum(y[known], 1e-9))
    low, high = math.floor(level.min()), max(math.ceil(level.max()), math.floor(level.min()) + 1)
    last = max(float(x.max()), 1e-9)

    def place(time: float, value: float) -> tuple[int, int]:
        across = left + (width - left - 20) * time / last
        return round(across), round(height - bottom - (height - bottom - top) * (value - low) / (high - low))

    for decade in range(low, high + 1):
        row = place(0.0, decade)[1]
        cv2.line(picture, (left, row), (width - 20, row), GRID, 1)
        _write(picture, f"{10.0**decade:g}", (6, row + 4))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _write(picture, f"{share * last:.3g} {unit}", (place(share * last, low)[0] - 14, height - 12))
    line = np.array([place(float(t), float(v)) for t, v in zip(x, level, strict=True)], np.int32)
    cv2.polylines(picture, [line.reshape(-1, 1, 2)], False, ink, 2, cv2.LINE_AA)
    if len(line) <= 40:
        for point in line:
            cv2.circle(picture, (int(point[0]), int(point[1])), 3, ink, -1, cv2.LINE_AA)
    _write(picture, title, (left, 18))
    return picture


def _write(picture: np.ndarray, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)


def _sized(photo: Photo, camera: Camera, scene: PoseTarget, side: int) -> tuple[Float[np.ndarray, "h w 3"], Camera]:
    """The photo on the scene's background and its camera, with `side` pixels on the longer side at most."""
    image, own = working_image(photo, camera.to(torch.float32), scene.scene_bounds.background)
    scale = min(1.0, side / max(own.width, own.height))
    width, height = max(2, round(own.width * scale)), max(2, round(own.height * scale))
    small = cv2.resize(_numpy(image), (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(small, 0.0, 1.0), own.resized(width, height)


def _numpy(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.cpu().numpy(), dtype=np.float32)


COLORS = ((40, 40, 40), (200, 60, 30), (40, 110, 200), (30, 150, 90), (150, 80, 180), (190, 140, 20))


def share_curves(
    series: Mapping[str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]], title: str, *, unit: str = "s"
) -> UInt8[np.ndarray, "h w 3"]:
    """Shares 0..1 over a logarithm of seconds, or of another unit, a line for each name."""
    width, left, top = 640, 60, 34
    height, bottom = 330 + 18 * len(series), 50 + 18 * len(series)
    picture = np.full((height, width, 3), PAPER, np.uint8)
    every = np.concatenate([times for times, _ in series.values()])
    low, high = math.floor(math.log10(every.min())), math.ceil(math.log10(every.max()))

    def place(decade: float, share: float) -> tuple[int, int]:
        across = left + (width - left - 20) * (decade - low) / max(high - low, 1)
        return round(across), round(height - bottom - (height - bottom - top) * share)

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        cv2.line(picture, place(low, share), place(high, share), GRID, 1)
        _write(picture, f"{share:.2f}", (14, place(low, share)[1] + 4))
    for decade in range(low, high + 1):
        _write(picture, f"{10.0**decade:g} {unit}", (place(decade, 0)[0] - 14, place(decade, 0)[1] + 18))
    for number, (name, (times, shares)) in enumerate(series.items()):
        ink = COLORS[number % len(COLORS)]
        line = np.array([place(math.log10(t), s) for t, s in zip(times, shares, strict=True)], np.int32)
        cv2.polylines(picture, [line.reshape(-1, 1, 2)], False, ink, 2, cv2.LINE_AA)
        row = height - 18 * (len(series) - number) + 6
        cv2.line(picture, (left, row - 4), (left + 24, row - 4), ink, 2)
        _write(picture, name, (left + 32, row))
    _write(picture, title, (left, 20))
    return picture
