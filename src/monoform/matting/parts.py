"""Objects made of unlike parts, for training pictures: frames of rods and wheels, holes, parts in other colors."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .backgrounds import Picture, color, noise

Generator = np.random.Generator
Alpha = Float[np.ndarray, "h w"]
Rgba = UInt8[np.ndarray, "h w 4"]
SUBPIXELS = 4  # bits after the point of drawn coordinates


def repainted(rng: Generator, rgba: Rgba, picture: Float[np.ndarray, "rows columns 3"]) -> Rgba:
    """Some parts of the object in a color of their own: near black, near white, or one of the background's."""
    height, width = rgba.shape[:2]
    rgb = rgba[..., :3].astype(np.float32) / 255
    for _ in range(int(rng.integers(1, 4))):
        share = _region(rng, width, height)[..., None]
        kind = rng.random()
        if kind < 0.35:
            fill = color(rng) * 0.2
        elif kind < 0.5:
            fill = 1 - 0.2 * color(rng)
        else:
            rows, columns = picture.shape[:2]
            fill = picture[int(rng.integers(rows)), int(rng.integers(columns))]
        shade = 0.4 + 0.6 * rgb.mean(axis=2, keepdims=True) / max(float(rgb.mean()), 0.05)
        rgb = rgb + float(rng.uniform(0.6, 1)) * share * (fill * np.clip(shade, 0.4, 1.5) - rgb)
    painted = np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)
    return np.concatenate((painted, rgba[..., 3:]), axis=2)


def _region(rng: Generator, width: int, height: int) -> Alpha:
    """A lower or outer part, a band, or blots, with sharp rims."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = float(rng.choice((np.pi / 2, rng.uniform(0, 2 * np.pi))))
    along = np.cos(angle) * columns + np.sin(angle) * rows
    kind = rng.integers(3)
    if kind == 0:
        level = along - float(rng.uniform(0, 0.6))
    elif kind == 1:
        level = float(rng.uniform(0.04, 0.3)) - np.abs(along - float(rng.uniform(-0.6, 0.6)))
    else:
        level = noise(rng, width, height, coarse=int(rng.integers(2, 6)), octaves=2) - float(rng.uniform(0.5, 0.8))
    return np.clip(level * 0.5 * max(width, height) + 0.5, 0, 1)


def pierced(rng: Generator, rgba: Rgba) -> Rgba:
    """The object with openings that show what lies behind: windows, the inside of a grip, a lattice."""
    inside = np.argwhere(rgba[..., 3] > 128)
    if len(inside) < 50:
        return rgba
    side = float(np.ptp(inside, axis=0).max() + 1)
    holes = np.zeros(rgba.shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        row, column = (float(each) for each in inside[int(rng.integers(len(inside)))])
        half = side * rng.uniform(0.02, 0.14, 2)
        turn = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            cv2.ellipse(holes, ((column, row), (2 * half[0], 2 * half[1]), turn), 255, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((column, row), (2 * half[0], 2 * half[1]), turn))
            _fill(holes, corners)
    alpha = np.round(rgba[..., 3] * (1 - holes.astype(np.float32) / 255)).astype(np.uint8)
    return np.concatenate((rgba[..., :3], alpha[..., None]), axis=2)


def with_frame(rng: Generator, covered: Picture, alpha: Alpha) -> tuple[Picture, Alpha]:
    """The object with a frame behind it that belongs to it: rods that cross, rails, or a wheel with spokes."""
    inside = np.argwhere(alpha > 0.9)
    if len(inside) < 50:
        return covered, alpha
    (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0)
    side = float(max(y1 - y0, x1 - x0))
    row, column = inside[int(rng.integers(len(inside)))]
    start = np.array([column, row], np.float64)
    angle = float(rng.uniform(0, 2 * np.pi))
    end = start + side * float(rng.uniform(0.25, 0.7)) * np.array([np.cos(angle), np.sin(angle)])
    thick = max(1, round(side * float(np.exp(rng.uniform(np.log(0.008), np.log(0.05))))))
    drawn = np.zeros(alpha.shape, np.uint8)
    if rng.random() < 0.35:
        _wheel(rng, drawn, end, 0.5 * side * float(rng.uniform(0.2, 0.6)), thick)
        _line(drawn, start, end, thick=thick)
    else:
        _rails(rng, drawn, start, end, side * float(rng.uniform(0.08, 0.35)), thick)
    fill = covered[row, column] if rng.random() < 0.5 else color(rng)
    ramp = 1 + 0.5 * (noise(rng, alpha.shape[1], alpha.shape[0], coarse=6, octaves=2) - 0.5)
    behind = drawn.astype(np.float32) / 255 * (1 - alpha)
    return covered + behind[..., None] * np.clip(fill * ramp[..., None], 0, 1), alpha + behind


def _wheel(rng: Generator, drawn: np.ndarray, center: np.ndarray, radius: float, thick: int) -> None:
    flat, turn = float(rng.uniform(0.35, 1)), float(rng.uniform(0, 180))
    circle = np.linspace(0, 2 * np.pi, 60)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rim = np.stack((np.cos(circle), flat * np.sin(circle)), axis=1) @ np.array([[cos, sin], [-sin, cos]])
    rim = center + max(radius, 3.0) * rim
    _line(drawn, *rim, thick=max(2, 2 * thick))
    for spoke in rim[:: int(rng.choice((2, 4, 6, 10)))]:
        _line(drawn, center, spoke, thick=max(1, thick // 2))


def _rails(rng: Generator, drawn: np.ndarray, start: np.ndarray, end: np.ndarray, apart: float, thick: int) -> None:
    """Two rods side by side, joined at the end and by rungs or struts between them."""
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
    across = np.array([-along[1], along[0]]) * apart
    other, far = start + across, end + across * float(rng.uniform(0.4, 1.3))
    _line(drawn, start, end, far, other, thick=thick)
    count = int(rng.integers(0, 7))
    slant = 1 if rng.random() < 0.4 else 0
    for index in range(1, count + 1):
        t, u = index / (count + 1), min(1.0, (index + slant) / (count + 1))
        _line(drawn, start + t * (end - start), other + u * (far - other), thick=max(1, thick // 2))


def _line(drawn: np.ndarray, *points: np.ndarray, thick: int) -> None:
    at = np.round(np.stack(points) * 2**SUBPIXELS).astype(np.int32)
    cv2.polylines(drawn, [at], False, 255, thick, cv2.LINE_AA, SUBPIXELS)


def _fill(drawn: np.ndarray, corners: np.ndarray) -> None:
    at = np.round(corners * 2**SUBPIXELS).astype(np.int32)
    cv2.fillPoly(drawn, [at], 255, cv2.LINE_AA, SUBPIXELS)
