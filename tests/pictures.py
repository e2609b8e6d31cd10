"""Photos that the tests draw themselves, with their true masks."""

from __future__ import annotations

import cv2
import numpy as np


def disc(width: int = 160, height: int = 120, radius: float = 40.0, center: tuple[float, float] | None = None):
    """A shaded red ball on a plain ground: (rgb float (h, w, 3), mask float (h, w)), antialiased."""
    x0, y0 = center or (width / 2, height / 2)
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    distance = np.hypot(columns - x0, rows - y0)
    mask = np.clip(radius - distance + 0.5, 0, 1).astype(np.float32)
    shade = np.clip(1 - (distance / radius) ** 2 * 0.6, 0.2, 1)[..., None]
    rgb = mask[..., None] * shade * np.array([0.9, 0.2, 0.15]) + (1 - mask[..., None]) * np.array([0.75, 0.8, 0.85])
    return rgb.astype(np.float32), mask


def mug(width: int = 320, height: int = 240):
    """A mug with a handle (one hole) on a table with a little texture: (rgb, mask)."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (round(0.66 * width), height // 2), (38, 45), 0, 0, 360, 255, 14, cv2.LINE_AA)
    cv2.rectangle(mask, (round(0.3 * width), round(0.2 * height)), (round(0.66 * width), round(0.82 * height)), 255, -1)
    noise = np.random.default_rng(0).normal(0, 0.015, (height, width, 1))
    coverage = (mask / 255.0)[..., None]
    ground = np.array([0.55, 0.42, 0.3]) + np.linspace(-0.05, 0.05, height)[:, None, None]
    across = np.linspace(-1, 1, width)[None, :, None]
    body = np.array([0.15, 0.35, 0.75]) * (0.65 + 0.35 * np.sqrt(1 - 0.9 * across**2))
    rgb = coverage * body + (1 - coverage) * ground + noise
    return np.clip(rgb, 0, 1).astype(np.float32), (mask / 255).astype(np.float32)


def png(image: np.ndarray) -> bytes:
    """PNG bytes of a float or uint8 image, RGB or RGBA or grey."""
    if image.dtype != np.uint8:
        image = np.round(image * 255).astype(np.uint8)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", image)[1].tobytes()
