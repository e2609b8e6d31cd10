"""Random colours and solid textures: patterns that are a function of the place, so no unwrapping is needed."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ...errors import InputError

Points = Float[np.ndarray, "n 3"]
Texture = Callable[[Points], Float[np.ndarray, "n 3"]]
Weight = Callable[[Points], Float[np.ndarray, " n"]]


def random_palette(generator: np.random.Generator, count: int) -> Float[np.ndarray, "k 3"]:
    """Colours in 0..1: sometimes greys, sometimes of one hue, mostly mixed."""
    kind, hue = generator.random(), generator.random()
    colors = []
    for _ in range(count):
        if kind < 0.2:
            own_hue, saturation = hue, generator.uniform(0, 0.12)
        elif kind < 0.55:
            own_hue, saturation = hue + generator.normal(0, 0.05), generator.uniform(0.2, 0.9)
        else:
            own_hue, saturation = generator.random(), generator.uniform(0.1, 0.95)
        colors.append(colorsys.hsv_to_rgb(own_hue % 1.0, saturation, generator.uniform(0.12, 1.0)))
    return np.array(colors)


def random_texture(generator: np.random.Generator, kind: str | None = None) -> Texture:
    """A texture for objects of radius 0.5: colours (n 3) in 0..1 at points (n 3).

    Raises:
        InputError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"There is no texture kind {kind!r}; choose one of {', '.join(KINDS)}.")
    names = list(KINDS)
    name = kind or names[generator.integers(len(names))]
    palette = random_palette(generator, 5)
    weight = KINDS[name](generator)
    warp = _warp(generator, strength=generator.choice([0.0, 0.0, 0.03, 0.08]))
    grain, strength = _noise(generator, generator.uniform(10, 60)), generator.choice([0.0, 0.05, 0.2])

    def texture(points: Points) -> Float[np.ndarray, "n 3"]:
        level = weight(warp(points)) * (len(palette) - 1)
        first = np.clip(np.floor(level).astype(int), 0, len(palette) - 2)
        share = np.clip(level - first, 0, 1)[:, None]
        colors = (1 - share) * palette[first] + share * palette[first + 1]
        return np.clip(colors * (1 + strength * grain(points)[:, None]), 0, 1)

    return texture


def _direction(generator: np.random.Generator) -> np.ndarray:
    """Mostly one of the axes, as prints and planks are."""
    if generator.random() < 0.6:
        return np.eye(3)[generator.integers(3)]
    direction = generator.normal(size=3)
    return direction / np.linalg.norm(direction)


def _noise(generator: np.random.Generator, frequency: float) -> Weight:
    """About -1..1: random waves of wave numbers around `frequency` (random Fourier features)."""
    waves = generator.normal(size=(3, 24)) * frequency
    phases = generator.uniform(0, 2 * np.pi, 24)
    scale = np.sqrt(2 / 24)
    return lambda points: scale * np.cos(points @ waves + phases).sum(axis=1) / 1.5


def _warp(generator: np.random.Generator, *, strength: float) -> Callable[[Points], Points]:
    parts = [_noise(generator, 8.0) for _ in range(3)]
    if strength == 0:
        return lambda points: points
    return lambda points: points + strength * np.stack([part(points) for part in parts], axis=1)


def _steps(generator: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Values in 0..1 either as they are or in two to five flat steps, as paint or print."""
    if generator.random() < 0.4:
        return lambda values: values
    count = generator.integers(2, 6)
    return lambda values: np.clip(np.floor(values * count), 0, count - 1) / max(count - 1, 1)


def _clouds(generator: np.random.Generator) -> Weight:
    noise, fine, steps = _noise(generator, generator.uniform(4, 25)), _noise(generator, 40.0), _steps(generator)
    return lambda points: steps(np.clip(0.5 + 0.4 * noise(points) + 0.08 * fine(points), 0, 1))


def _stripes(generator: np.random.Generator) -> Weight:
    direction, steps = _direction(generator), _steps(generator)
    frequency, phase = generator.uniform(2, 16), generator.random()
    return lambda points: steps((points @ direction * frequency + phase) % 1.0)


def _checks(generator: np.random.Generator) -> Weight:
    first, frequency = _direction(generator), generator.uniform(3, 14)
    second = np.cross(first, _direction(generator) + np.array([0.01, 0.02, 0.03]))
    second /= np.linalg.norm(second)
    plaid = generator.random() < 0.4

    def weight(points: Points) -> Float[np.ndarray, " n"]:
        a, b = (np.floor(points @ axis * frequency) % 2 for axis in (first, second))
        return 0.5 * (a + b) if plaid else np.abs(a - b)

    return weight


def _rings(generator: np.random.Generator) -> Weight:
    center, frequency, steps = generator.uniform(-0.4, 0.4, 3), generator.uniform(3, 14), _steps(generator)
    flat = generator.choice([0.0, 1.0]) * _direction(generator)

    def weight(points: Points) -> Float[np.ndarray, " n"]:
        offset = points - center
        offset = offset - (offset @ flat)[:, None] * flat
        return steps((np.linalg.norm(offset, axis=1) * frequency) % 1.0)

    return weight


def _print(generator: np.random.Generator) -> Weight:
    """Dots or blots on a jittered lattice over a plain ground."""
    frequency, size = generator.uniform(3, 12), generator.uniform(0.2, 0.45)
    seed, square = generator.integers(1 << 30), generator.random() < 0.3

    def weight(points: Points) -> Float[np.ndarray, " n"]:
        cell = np.floor(points * frequency)
        mixed = (cell.astype(np.int64) * (73856093, 19349663, 83492791)).sum(axis=1) ^ int(seed)
        draw = ((mixed[:, None] * (2654435761, 2246822519, 3266489917, 668265263)) >> 7) % 4096 / 4096.0
        offset = points * frequency - cell - (0.5 + 0.3 * (draw[:, :3] - 0.5))
        far = np.abs(offset).max(axis=1) if square else np.linalg.norm(offset, axis=1)
        return np.where(far < size, 0.25 + 0.75 * draw[:, 3], 0.0)

    return weight


def _patches(generator: np.random.Generator) -> Weight:
    """Regions around random centres, each of one shade."""
    centers = generator.uniform(-0.5, 0.5, (generator.integers(4, 40), 3))
    shades = generator.random(len(centers))
    return lambda points: shades[((points[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)]


def _marble(generator: np.random.Generator) -> Weight:
    direction, noise = _direction(generator), _noise(generator, 10.0)
    frequency, strength = generator.uniform(5, 20), generator.uniform(1, 4)
    return lambda points: 0.5 + 0.5 * np.sin(points @ direction * frequency + strength * noise(points))


def _fade(generator: np.random.Generator) -> Weight:
    direction = _direction(generator)
    return lambda points: np.clip(points @ direction + 0.5, 0, 1)


KINDS: dict[str, Callable[[np.random.Generator], Weight]] = {
    "clouds": _clouds,
    "stripes": _stripes,
    "checks": _checks,
    "rings": _rings,
    "print": _print,
    "patches": _patches,
    "marble": _marble,
    "fade": _fade,
}
