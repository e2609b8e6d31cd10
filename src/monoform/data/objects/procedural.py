"""Objects made by rules: cups, boxes, furniture, turned bodies, tubes, soft lumps; each closed and coloured."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ...errors import InputError
from ...mesh import Mesh
from .palettes import random_palette
from .solids import box, ellipsoid, joined, lathe, painted, placed, smooth_union, tube

Palette = Float[np.ndarray, "k 3"]


def procedural_object(kind: str | None = None, *, generator: np.random.Generator) -> Mesh:
    """A random object of a kind (default: a random one), upright, not yet scaled; all its parts are closed.

    Raises:
        InputError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"There is no procedural kind {kind!r}; choose one of {', '.join(KINDS)}.")
    names = list(KINDS)
    maker = KINDS[kind or names[generator.integers(len(names))]]
    return joined(maker(generator, random_palette(generator, 4)))


def _cup(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """A turned cup with walls, and often a handle."""
    height, top, bottom = g.uniform(0.5, 1.2), g.uniform(0.3, 0.5), g.uniform(0.18, 0.5)
    wall, belly = g.uniform(0.02, 0.05), g.uniform(-0.08, 0.15)
    t = np.linspace(0, 1, 12)
    outer = bottom + (top - bottom) * t + belly * np.sin(np.pi * t)
    inner = np.maximum(outer - wall, 0.02)
    up = np.stack([outer, height * t], axis=1)
    down = np.stack([inner, np.maximum(height * t, wall)], axis=1)[::-1]
    profile = np.concatenate([[[0, 0]], up, down, [[0, wall]]])
    parts = [painted(lathe(profile, segments=36), palette[0])]
    if g.random() < 0.7:
        low, high, reach = g.uniform(0.1, 0.3), g.uniform(0.6, 0.9), g.uniform(0.15, 0.35)
        s = np.linspace(0, 1, 20)
        radius = np.interp(low + (high - low) * s, t, outer) - 0.5 * wall
        path = np.stack([radius + reach * np.sin(np.pi * s) ** 0.7, height * (low + (high - low) * s), 0 * s], axis=1)
        parts.append(placed(painted(tube(path, g.uniform(0.02, 0.05)), palette[1]), turn=g.uniform(0, 2 * math.pi)))
    return parts


def _turned(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """A solid body of revolution: vase, bottle, pawn, lamp foot."""
    knots = g.integers(4, 8)
    radii = g.uniform(0.08, 0.5, knots)
    heights = np.sort(g.uniform(0, g.uniform(0.6, 2.0), knots))
    s = np.linspace(0, knots - 1, 40)
    steps = np.arange(knots)
    smooth = g.random() < 0.7
    blend = 0.5 - 0.5 * np.cos(np.pi * (s % 1)) if smooth else s % 1
    index = np.minimum(s.astype(int), knots - 2)
    radius = radii[index] + (radii[index + 1] - radii[index]) * np.where(s >= knots - 1, 1, blend)
    height = np.interp(s, steps, heights)
    profile = np.concatenate([[[0, height[0]]], np.stack([radius, height], axis=1), [[0, height[-1]]]])
    segments = int(g.choice([6, 8, 40]))
    return [painted(lathe(profile, segments=segments), palette[0])]


def _boxes(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """A box, or a few boxes stacked and set side by side."""
    parts, height = [], 0.0
    for k in range(g.integers(1, 5)):
        sides = g.uniform(0.15, 1.0, 3)
        offset = (g.uniform(-0.15, 0.15), height + 0.5 * sides[1], g.uniform(-0.15, 0.15))
        part = box(sides, taper=g.choice([0.0, 0.0, g.uniform(0, 0.5)]))
        parts.append(placed(painted(part, palette[k % 4]), offset=offset, turn=g.choice([0.0, g.uniform(0, 6)])))
        height += sides[1] * g.choice([1.0, 0.6])
    return parts


def _table(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """A top on legs; with a back it is a chair, with arms an armchair."""
    width, depth, height = g.uniform(0.5, 1.4), g.uniform(0.4, 0.9), g.uniform(0.3, 0.9)
    thick, leg = g.uniform(0.03, 0.12), g.uniform(0.025, 0.07)
    if g.random() < 0.3:
        t = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]) * (0.5 * width, thick)
        top, depth = lathe(t, segments=36), width
        reach = 0.5 * width / math.sqrt(2) - leg
        positions = [(x * reach, z * reach) for x in (-1, 1) for z in (-1, 1)]
    else:
        top = box((width, thick, depth), center=(0, 0.5 * thick, 0))
        positions = [(x * (0.5 * width - leg), z * (0.5 * depth - leg)) for x in (-1, 1) for z in (-1, 1)]
    parts = [painted(placed(top, offset=(0, height, 0)), palette[0])]
    splay, round_leg = g.choice([0.0, g.uniform(0, 0.25)]), g.random() < 0.5
    if g.random() < 0.15:
        parts.append(painted(tube(np.array([[0, 0, 0], [0, height + 0.01, 0.0]]), leg), palette[1]))
        parts.append(painted(lathe(np.array([[0, 0], [1, 0], [0.8, 1], [0, 1.0]]) * (0.3 * width, 0.04)), palette[1]))
        positions = []
    for x, z in positions:
        foot = np.array([x * (1 + splay), 0, z * (1 + splay)])
        path = np.stack([foot, np.array([x, height + 0.5 * thick, z])])
        piece = tube(path, np.array([0.7 * leg, leg])) if round_leg else tube(path, 1.3 * leg, segments=4)
        parts.append(painted(piece, palette[1]))
    if g.random() < 0.5:
        parts += _back(g, palette, width, depth, height, thick)
    return parts


def _back(
    g: np.random.Generator, palette: Palette, width: float, depth: float, height: float, thick: float
) -> list[Mesh]:
    tall, slim = g.uniform(0.3, 0.8), g.uniform(0.03, 0.08)
    z = -0.5 * depth + 0.5 * slim
    # Edges stay off the faces of other parts: what coincides flickers.
    if g.random() < 0.5:
        parts = [painted(box((0.97 * width, tall, slim), center=(0, height + 0.5 * tall + thick, z)), palette[2])]
    else:
        bars = g.integers(2, 6)
        parts = [painted(box((width, 0.2 * tall, 1.1 * slim), center=(0, height + 0.9 * tall, z)), palette[2])]
        for x in np.linspace(-0.5 * width + slim, 0.5 * width - slim, bars):
            parts.append(painted(box((slim, 0.9 * tall, 0.9 * slim), center=(x, height + 0.45 * tall, z)), palette[1]))
    if g.random() < 0.3:
        arm = g.uniform(0.15, 0.35)
        for side in (-1, 1):
            center = (side * (0.5 * width - slim), height + 0.5 * arm + 0.5 * thick, 0)
            parts.append(painted(box((2 * slim, arm, depth), center=center), palette[3]))
    return parts


def _lump(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """Balls and boxes melted together, in one colour or by height."""

    def ball(center: np.ndarray, radii: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda points: (np.linalg.norm((points - center) / radii, axis=1) - 1) * radii.min()

    def block(center: np.ndarray, half: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        def distance(points: np.ndarray) -> np.ndarray:
            gap = np.abs(points - center) - half
            return np.linalg.norm(np.maximum(gap, 0), axis=1) + np.minimum(gap.max(axis=1), 0) - 0.02

        return distance

    shapes = []
    center = np.zeros(3)
    for _ in range(g.integers(2, 7)):
        radii = g.uniform(0.06, 0.2, 3)
        shapes.append(ball(center, radii) if g.random() < 0.7 else block(center, 0.7 * radii))
        center = np.clip(center + g.uniform(-0.2, 0.2, 3), -0.28, 0.28)
    return [painted(smooth_union(shapes, blend=g.uniform(0.01, 0.06)), palette[0])]


def _tubes(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """Bent tubes: wire, branch, ring, spring."""
    parts = []
    s = np.linspace(0, 1, 48)
    for k in range(g.integers(1, 4)):
        amplitude, phase = g.uniform(0.1, 0.6, (3, 3)) / np.arange(1, 4), g.uniform(0, 2 * np.pi, (3, 3))
        waves = np.sin(2 * np.pi * np.arange(1, 4)[None, None] * 0.6 * s[:, None, None] + phase[None])
        path = (amplitude[None] * waves).sum(axis=2)
        radius = g.uniform(0.03, 0.1) * (1 + g.uniform(-0.6, 0.6) * s)
        parts.append(painted(tube(path, radius), palette[k]))
    return parts


def _creature(g: np.random.Generator, palette: Palette) -> list[Mesh]:
    """A body on legs, with a head, sometimes a tail: the parts overlap as artists' do."""
    length, thick, leg = g.uniform(0.5, 1.0), g.uniform(0.15, 0.3), g.uniform(0.15, 0.5)
    body = leg + 0.6 * thick
    parts = [painted(ellipsoid((thick, thick * g.uniform(0.8, 1.2), 0.5 * length), center=(0, body, 0)), palette[0])]
    head = g.uniform(0.5, 0.9) * thick
    place = (0, body + g.uniform(0.2, 1.5) * thick, 0.5 * length + 0.3 * head)
    neck = np.array([[0, body, 0.4 * length], place])
    parts.append(painted(tube(neck, 0.6 * head), palette[0]))
    parts.append(painted(ellipsoid((head, head, head * g.uniform(1.0, 1.6)), center=place), palette[1]))
    for x in (-1, 1):
        for z in (-1, 1):
            foot = np.array([x * 0.6 * thick, 0, z * 0.35 * length])
            path = np.stack([foot, foot * (1, 0, 1) + (0, body, 0)])
            parts.append(painted(tube(path, np.array([0.7, 1.0]) * g.uniform(0.2, 0.4) * thick), palette[0]))
        ear = (place[0] + x * 0.6 * head, place[1] + 0.9 * head, place[2])
        parts.append(painted(ellipsoid(head * g.uniform(0.15, 0.5, 3), center=ear), palette[2]))
    if g.random() < 0.6:
        s = np.linspace(0, 1, 10)[:, None]
        path = np.array([0, body, -0.45 * length]) + s * (0, g.uniform(-0.3, 0.4), -g.uniform(0.1, 0.4))
        parts.append(painted(tube(path, g.uniform(0.02, 0.06)), palette[3]))
    return parts


KINDS: dict[str, Callable[[np.random.Generator, Palette], list[Mesh]]] = {
    "cup": _cup,
    "turned": _turned,
    "boxes": _boxes,
    "table": _table,
    "lump": _lump,
    "tubes": _tubes,
    "creature": _creature,
}
