"""Drawn backgrounds for training pictures: studio sweeps, rooms, surfaces, clutter; all from a generator."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

Generator = np.random.Generator
Picture = Float[np.ndarray, "h w 3"]


def background(rng: Generator, width: int, height: int) -> tuple[Picture, bool]:
    """A background and whether it has a ground that shadows fall on."""
    kind = rng.choice(5, p=(0.22, 0.13, 0.3, 0.2, 0.15))
    if kind == 0:
        return _studio(rng, width, height), True
    if kind == 1:
        return _gradient(rng, width, height), bool(rng.random() < 0.5)
    if kind == 2:
        return _room(rng, width, height), True
    if kind == 3:
        return _material(rng, width, height), bool(rng.random() < 0.5)
    return clutter(rng, _gradient(rng, width, height)), False


def color(rng: Generator) -> Float[np.ndarray, " 3"]:
    """A random color: mostly muted, now and then rich."""
    gray = rng.uniform(0.05, 1)
    spread = 0.06 if rng.random() < 0.75 else 0.25
    return np.clip(gray + rng.normal(0, spread, 3), 0, 1).astype(np.float32)


def noise(
    rng: Generator, width: int, height: int, *, coarse: int = 2, octaves: int = 5, fall: float = 0.6
) -> np.ndarray:
    """Sum of random grids of doubling fineness (value noise), scaled to 0..1."""
    total, weight = np.zeros((height, width), np.float32), 1.0
    for octave in range(octaves):
        cells = coarse * 2**octave
        if cells >= max(width, height):
            break
        grid = rng.random((max(2, cells * height // width), cells), dtype=np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight *= fall
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def clutter(rng: Generator, picture: Picture) -> Picture:
    """The picture with random shapes in it, out of focus."""
    height, width = picture.shape[:2]
    side = max(width, height)
    drawn = np.ascontiguousarray(picture)
    for _ in range(int(rng.integers(4, 26))):
        fill = tuple(float(value) for value in color(rng))
        center = int(rng.integers(0, width)), int(rng.integers(0, height))
        half = int(rng.uniform(0.02, 0.3) * side) + 1, int(rng.uniform(0.02, 0.3) * side) + 1
        kind = rng.integers(4)
        if kind == 0:
            cv2.ellipse(drawn, center, half, float(rng.uniform(0, 180)), 0, 360, fill, -1, cv2.LINE_AA)
        elif kind == 1:
            corner = center[0] + half[0], center[1] + half[1]
            cv2.rectangle(drawn, center, corner, fill, -1)
        elif kind == 2:
            corners = np.array(center) + rng.normal(0, max(half) / 2, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(drawn, [corners.astype(np.int32)], fill, cv2.LINE_AA)
        else:
            end = int(rng.integers(0, width)), int(rng.integers(0, height))
            cv2.line(drawn, center, end, fill, int(rng.integers(1, 7)), cv2.LINE_AA)
    return _blurred(drawn, float(rng.uniform(0.2, 7)))


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0.3 else picture


def _gradient(rng: Generator, width: int, height: int) -> Picture:
    """Few colours, one growing into the other."""
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    base, spread = color(rng), rng.choice((0.03, 0.1, 0.3))
    grid = base + rng.normal(0, spread, (rows, columns, 3)).astype(np.float32)
    return np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def _studio(rng: Generator, width: int, height: int) -> Picture:
    """Paper in a studio: white, grey, black or of one colour, with a little falling off of the light."""
    kind = rng.random()
    if kind < 0.4:
        paper = np.full(3, rng.uniform(0.9, 1.05))
    elif kind < 0.65:
        paper = np.full(3, rng.uniform(0.3, 0.9)) + rng.normal(0, 0.015, 3)
    elif kind < 0.75:
        paper = np.full(3, rng.uniform(0, 0.15))
    else:
        paper = color(rng)
    light = np.ones((height, width), np.float32)
    if rng.random() < 0.6:
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = rng.uniform(0, width), rng.uniform(-0.3, 1.0) * height
        away = np.hypot(columns - x, rows - y) / max(width, height)
        light -= float(rng.uniform(0, 0.5)) * away**1.5
    return np.clip(light[..., None] * paper.astype(np.float32), 0, 1)


def _room(rng: Generator, width: int, height: int) -> Picture:
    """A drawn wall, and a drawn table or floor below it."""
    wall = _gradient(rng, width, height) if rng.random() < 0.45 else _material(rng, width, height)
    if rng.random() < 0.35:
        wall = clutter(rng, wall)
    return room(rng, wall, _material(rng, width, height))


def room(rng: Generator, wall: Picture, material: Picture) -> Picture:
    """A wall, and a table or floor of a material below a horizon, seen in perspective."""
    height, width = wall.shape[:2]
    horizon = rng.uniform(0.15, 0.8) * height
    wall = _blurred(wall, float(rng.choice((0, 1, 3))))
    table = _in_perspective(rng, material, horizon)
    rows = np.arange(height, dtype=np.float32)[:, None]
    tilt = float(rng.normal(0, 0.03)) * (np.arange(width, dtype=np.float32)[None] - width / 2)
    below = 1 / (1 + np.exp(-np.clip((rows - horizon - tilt) / rng.uniform(0.3, 3), -30, 30)))
    shade = 1 - float(rng.uniform(0, 0.35)) * np.exp(-((rows - horizon) ** 2) / (2 * (0.12 * height) ** 2))
    return (wall + below[..., None] * (table - wall)) * shade[..., None]


def _in_perspective(rng: Generator, flat: Picture, horizon: float) -> Picture:
    """A surface laid down: its far edge on the horizon, narrower than the near one."""
    height, width = flat.shape[:2]
    spread = float(rng.uniform(0.3, 2.5)) * width
    near, far = (-spread, width + spread), (-0.05 * width, 1.05 * width)
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    top = horizon - 0.06 * height
    target = np.array([(far[0], top), (far[1], top), (near[1], 1.05 * height), (near[0], 1.05 * height)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    return cv2.warpPerspective(flat, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _material(rng: Generator, width: int, height: int) -> Picture:
    """A surface: plain, mottled, wooden, chequered, tiled, woven, grass or planks."""
    kind = rng.choice(8, p=(0.13, 0.18, 0.2, 0.06, 0.1, 0.08, 0.15, 0.1))
    first = color(rng)
    near = np.clip(first * float(rng.uniform(0.45, 1.5)) + rng.normal(0, 0.04, 3), 0, 1).astype(np.float32)
    other = near if rng.random() < 0.7 else color(rng)
    if kind == 0:
        share = float(rng.uniform(0, 0.15)) * noise(rng, width, height)
    elif kind == 1:
        share = noise(rng, width, height, coarse=int(rng.integers(2, 12)), fall=float(rng.uniform(0.5, 0.95)))
    elif kind == 2:
        share = _wood(rng, width, height)
    elif kind == 3:
        share = _grid(rng, width, height, chequered=True)
    elif kind == 4:
        share = _grid(rng, width, height, chequered=False)
    elif kind == 5:
        share = _weave(rng, width, height)
    elif kind == 6:
        return _grass(rng, width, height)
    else:
        return planks(rng, width, height)
    if kind in (2, 3, 4, 5) and rng.random() < 0.6:
        share = share + 0.35 * (noise(rng, width, height, coarse=3) - 0.5)
    return np.clip(first + share[..., None] * (other - first), 0, 1)


def _wood(rng: Generator, width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.5:
        rows, columns = columns, rows
    bend = noise(rng, width, height, coarse=2, octaves=3)
    rings = np.sin(rows * float(rng.uniform(0.08, 0.6)) + float(rng.uniform(2, 14)) * bend)
    fiber = cv2.blur(rng.random((height, width), dtype=np.float32), (25, 1) if rows[0, 0] == rows[0, -1] else (1, 25))
    boards = np.floor(rows / float(rng.uniform(12, 60)))
    brightness = np.modf(np.sin(boards * 12.9898) * 43758.547)[0] * float(rng.uniform(0, 0.5))
    return 0.35 * (rings + 1) * float(rng.random()) + 2 * (fiber - 0.5) + 0.3 + brightness


def planks(rng: Generator, width: int, height: int) -> Picture:
    """Boards side by side, as of a bench, a pier or a floor, with gaps between them that show what lies below."""
    board = float(rng.uniform(0.06, 0.4)) * max(width, height)
    count = int(max(width, height) / board) + 2
    place = (np.arange(max(width, height)) + float(rng.uniform(0, board))) / board
    tone = 1 + float(rng.uniform(0, 0.12)) * rng.standard_normal(count)[np.floor(place).astype(int)]
    grain = cv2.blur(rng.random((len(place), len(place)), dtype=np.float32), (41, 1)) - 0.5
    wood = color(rng) * (tone[:, None] * (1 + float(rng.uniform(0, 1.5)) * grain))[..., None]
    below = _grass(rng, len(place), len(place)) * 0.6 if rng.random() < 0.4 else color(rng) * float(rng.uniform(0, 0.5))
    gap = np.abs((place + 0.5) % 1 - 0.5) < float(rng.uniform(0.002, 0.09))
    laid = np.where(gap[:, None, None], below, wood)
    laid = laid if rng.random() < 0.5 else laid.swapaxes(0, 1)
    return np.clip(laid[:height, :width], 0, 1).astype(np.float32)


def _grid(rng: Generator, width: int, height: int, *, chequered: bool) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = float(rng.uniform(-0.6, 0.6))
    across, down = columns * np.cos(angle) + rows * np.sin(angle), rows * np.cos(angle) - columns * np.sin(angle)
    cell = float(rng.uniform(5, 36)), float(rng.uniform(5, 36))
    if chequered:
        return ((np.floor(across / cell[0]) + np.floor(down / cell[0])) % 2).astype(np.float32)
    shift = np.floor(down / cell[1]) % 2 * (cell[0] / 2 if rng.random() < 0.5 else 0)
    joint = float(rng.uniform(0.8, 2.5))
    line = ((across + shift) % cell[0] < joint) | (down % cell[1] < joint)
    return _blurred(line.astype(np.float32), 0.6)


def _weave(rng: Generator, width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = np.sin(columns * float(rng.uniform(0.05, 1.6))), np.sin(rows * float(rng.uniform(0.05, 1.6)))
    threads = across + down * float(rng.choice((0, 1)))
    return 0.5 + 0.25 * threads + 0.1 * rng.standard_normal((height, width), np.float32)


def _grass(rng: Generator, width: int, height: int) -> Picture:
    """Fine, strong, stretched noise: grass, gravel, leaves, fur."""
    random = rng.random((height, width), dtype=np.float32)
    stretch = (1, int(rng.integers(1, 9))) if rng.random() < 0.7 else (2, 2)
    blades = cv2.blur(random, stretch)
    blades = (blades - blades.mean()) / max(float(blades.std()), 1e-6)
    mood = noise(rng, width, height, coarse=3, octaves=4)
    base = np.array([0.3, 0.42, 0.15], np.float32) if rng.random() < 0.5 else color(rng)
    light = 0.6 + 0.5 * mood + float(rng.uniform(0.08, 0.35)) * blades
    return np.clip(light[..., None] * base + 0.05 * (mood[..., None] - 0.5), 0, 1)
