"""What photographs have and drawn pictures lack: real backgrounds, their light, what stands in front, thin parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ..errors import InputError
from ..inputs.pictures import eight_bits, open_picture
from .backgrounds import Picture, background, color, noise, planks, room

Generator = np.random.Generator
Alpha = Float[np.ndarray, "h w"]
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
PHOTOGRAPHED = 0.67  # share of pictures over a photograph; the others keep drawn backgrounds


class PhotoBackgrounds:
    """Random parts of photographs without an object that stands out, kept in memory.

    Args:
        folder: of pictures.

    Raises:
        InputError: the folder holds no picture, or one cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        files = [file for file in sorted(Path(folder).glob("*")) if file.suffix.lower() in PICTURES]
        if not files:
            raise InputError(f"{folder} holds no picture ({', '.join(PICTURES)}): give a folder of backgrounds.")
        self.pictures = [np.asarray(eight_bits(open_picture(file).image).convert("RGB")) for file in files]

    def __call__(self, rng: Generator, width: int, height: int) -> tuple[Picture, bool]:
        """A background and whether it has a ground that shadows fall on, as `background`."""
        if rng.random() >= PHOTOGRAPHED:
            return background(rng, width, height)
        picture = self.part(rng, width, height)
        if rng.random() < 0.3:
            ground = planks if rng.random() < 0.3 else self.part
            picture = room(rng, picture, ground(rng, width, height))
        if rng.random() < 0.35:
            picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 5)))
        return np.clip(picture, 0, 1), True

    def part(self, rng: Generator, width: int, height: int) -> Picture:
        """A random part of a random photograph, as sharp as it can be: now and then mirrored on where it ends."""
        whole = self.pictures[int(rng.integers(len(self.pictures)))]
        rows, columns = whole.shape[:2]
        share = min(columns / width, rows / height) * float(rng.uniform(0.6, 1.3))
        wide, high = max(1, int(share * width)), max(1, int(share * height))
        if wide > columns or high > rows:
            whole = cv2.copyMakeBorder(whole, 0, max(0, high - rows), 0, max(0, wide - columns), cv2.BORDER_REFLECT)
            rows, columns = whole.shape[:2]
        left, top = int(rng.integers(columns - wide + 1)), int(rng.integers(rows - high + 1))
        part = whole[top : top + high, left : left + wide]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        interpolation = cv2.INTER_CUBIC if share < 1 else cv2.INTER_AREA
        picture = cv2.resize(part, (width, height), interpolation=interpolation).astype(np.float32) / 255
        if rng.random() < 0.4:
            picture = picture + float(rng.uniform(0.3, 1.2)) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.0))
        return np.clip(picture, 0, 1)


def dressed(
    rng: Generator, rgba: UInt8[np.ndarray, "h w 4"], cloth: Float[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 4"]:
    """The object with a photograph on it in place of its colors, or over them; its shading stays."""
    rgb = rgba[..., :3].astype(np.float32) / 255
    inside = rgba[..., 3] > 128
    if not inside.any():
        return rgba
    gray = rgb.mean(axis=2)
    shade = np.clip(gray / max(float(gray[inside].mean()), 0.05), 0.35, 1.6)[..., None]
    share = float(rng.uniform(0.4, 1))
    painted = np.clip(np.round((rgb + share * (shade * cloth - rgb)) * 255), 0, 255).astype(np.uint8)
    return np.concatenate((painted, rgba[..., 3:]), axis=2)


def lit(
    rng: Generator, rgba: UInt8[np.ndarray, "h w 4"], picture: Float[np.ndarray, "rows columns 3"]
) -> UInt8[np.ndarray, "h w 4"]:
    """The object in the light of the picture: its brightness and tint, and darker towards one side."""
    mean = picture.mean(axis=(0, 1))
    tint = (mean + 0.15) / (mean.mean() + 0.15)
    strength = float(rng.uniform(0, 0.8))
    level = (0.55 + 0.9 * float(mean.mean())) ** strength
    height, width = rgba.shape[:2]
    angle = float(rng.uniform(0, 2 * np.pi))
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shade = 1 + float(rng.uniform(0, 0.4)) * (np.cos(angle) * columns + np.sin(angle) * rows)
    rgb = rgba[..., :3].astype(np.float32) / 255 * level * tint**strength * shade[..., None]
    painted = np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)
    return np.concatenate((painted, rgba[..., 3:]), axis=2)


def with_thin_part(rng: Generator, covered: Picture, alpha: Alpha) -> tuple[Picture, Alpha]:
    """The object with a handle, a tail, a wire or spokes that begin within it; they belong to it."""
    inside = np.argwhere(alpha > 0.9)
    if len(inside) < 50:
        return covered, alpha
    y0, x0 = inside.min(axis=0)
    y1, x1 = inside.max(axis=0)
    side = float(max(y1 - y0, x1 - x0))
    row, column = inside[int(rng.integers(len(inside)))]
    out = np.array([column - (x0 + x1) / 2, row - (y0 + y1) / 2])
    out = out / max(float(np.linalg.norm(out)), 1e-6)
    start = np.array([column, row], np.float64)
    across = np.array([-out[1], out[0]])
    reach, bend = side * float(rng.uniform(0.2, 0.6)), side * float(rng.normal(0, 0.25))
    along = np.linspace(0, 1, 40)[:, None]
    if rng.random() < 0.4:  # a handle comes back to the object
        span = side * float(rng.uniform(0.12, 0.35))
        line = start + reach * np.sin(np.pi * along) * out + span * (1 - np.cos(np.pi * along)) * across
    else:
        line = start + reach * along * out + bend * along**2 * across
    drawn = np.zeros(alpha.shape, np.uint8)
    thick = max(1, round(side * float(np.exp(rng.uniform(np.log(0.008), np.log(0.07))))))
    cv2.polylines(drawn, [np.round(line * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    fill = covered[row, column] if rng.random() < 0.6 else color(rng)
    ramp = 1 + 0.35 * (noise(rng, alpha.shape[1], alpha.shape[0], coarse=4, octaves=2) - 0.5)
    behind = drawn.astype(np.float32) / 255 * (1 - alpha)
    return covered + np.clip(behind[..., None] * fill * ramp[..., None], 0, 1), alpha + behind


def with_blades(rng: Generator, rgb: Picture, alpha: Alpha, picture: Picture) -> tuple[Picture, Alpha]:
    """Grass, leaves or fringes of the ground before the object's feet, in the ground's colors; not the object's."""
    standing = np.argwhere(alpha > 0.5)
    if not len(standing):
        return rgb, alpha
    height = alpha.shape[0]
    y0, x0 = standing.min(axis=0)
    y1, x1 = standing.max(axis=0)
    blades = np.zeros(alpha.shape, np.uint8)
    colors = np.zeros_like(rgb)
    tall = float(rng.uniform(0.03, 0.2)) * (y1 - y0 + 1)
    ground = picture[min(y1, height - 1) :].reshape(-1, 3)
    for _ in range(int(rng.integers(15, 120))):
        x, lean = float(rng.uniform(x0 - 4, x1 + 4)), float(rng.normal(0, 0.35))
        foot, up = y1 + float(rng.uniform(0, 4)), tall * float(rng.uniform(0.3, 1))
        wide = float(rng.uniform(0.4, 2.5))
        corners = np.array([(x - wide, foot), (x + wide, foot), (x + lean * up, foot - up)])
        fill = ground[int(rng.integers(len(ground)))] * float(rng.uniform(0.7, 1.3))
        at = [np.round(corners * 16).astype(np.int32)]
        cv2.fillPoly(blades, at, 255, cv2.LINE_AA, 4)
        cv2.fillPoly(colors, at, tuple(float(value) for value in fill), cv2.LINE_8, 4)
    share = np.where(colors.max(axis=2) > 0, blades.astype(np.float32) / 255, 0)
    front = picture if rng.random() < 0.5 else np.clip(colors, 0, 1)
    return rgb + share[..., None] * (front - rgb), alpha * (1 - share)


def sunk(rng: Generator, rgb: Picture, alpha: Alpha, picture: Picture) -> tuple[Picture, Alpha]:
    """The object's foot sunk into the ground along a ragged line: moss, gravel, deep grass, folds of cloth."""
    standing = np.argwhere(alpha > 0.5)
    if not len(standing):
        return rgb, alpha
    height, width = alpha.shape
    y0, y1 = standing[:, 0].min(), standing[:, 0].max()
    depth = float(rng.uniform(0.02, 0.15)) * (y1 - y0 + 1)
    rough = noise(rng, width, height, coarse=int(rng.integers(3, 24)), fall=float(rng.uniform(0.6, 1)))[height // 2]
    line = y1 - depth * 2 * rough[None]
    share = 1 / (1 + np.exp(-np.clip((np.arange(height)[:, None] - line) / float(rng.uniform(0.3, 1.2)), -30, 30)))
    share = share.astype(np.float32)
    return rgb + share[..., None] * (picture - rgb), alpha * (1 - share)


def with_hand(rng: Generator, rgb: Picture, alpha: Alpha) -> tuple[Picture, Alpha]:
    """Fingers of a hand that comes from outside and holds the object; not the object's."""
    height, width = alpha.shape
    inside = np.argwhere(alpha > 0.5)
    if not len(inside):
        return rgb, alpha
    row, column = inside[int(rng.integers(len(inside)))]
    angle = float(rng.uniform(0, 2 * np.pi))
    away = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-away[1], away[0]])
    thick = max(2, round(float(rng.uniform(0.03, 0.09)) * min(height, width)))
    drawn = np.zeros(alpha.shape, np.uint8)
    for index in range(int(rng.integers(1, 5))):
        tip = np.array([column, row]) + across * thick * 1.1 * index + away * float(rng.normal(0, 0.5)) * thick
        end = tip + away * 2 * max(height, width)
        points = [(int(point[0]), int(point[1])) for point in (tip, end)]
        cv2.line(drawn, points[0], points[1], 255, thick, cv2.LINE_AA)
    depth = cv2.distanceTransform((drawn > 127).astype(np.uint8), cv2.DIST_L2, 3) / max(1, thick / 2)
    fingers = drawn.astype(np.float32) / 255
    skin = np.array([0.85, 0.62, 0.5], np.float32) * float(rng.uniform(0.25, 1.1)) + rng.normal(0, 0.04, 3)
    shade = 0.6 + 0.4 * np.sqrt(np.clip(depth, 0, 1))
    hand = np.clip(skin * shade[..., None], 0, 1).astype(np.float32)
    return rgb + fingers[..., None] * (hand - rgb), alpha * (1 - fingers)
