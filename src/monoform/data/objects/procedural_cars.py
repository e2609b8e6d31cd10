"""Cars made by rules: saloons, hatchbacks, pick-ups, vans, buses and lorries of closed, coloured parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...mesh import Mesh
from .solids import box, joined, lathe, painted, placed

Color = Float[np.ndarray, " 3"]
GLASS, RUBBER, RIM = (0.20, 0.25, 0.30), (0.12, 0.12, 0.13), (0.62, 0.62, 0.65)
LAMP, REAR_LAMP, BUMPER = (0.97, 0.95, 0.80), (0.75, 0.10, 0.10), (0.22, 0.22, 0.24)
EPSILON = 0.004  # what lies on a face stands out by this much: coinciding faces flicker


@dataclass(frozen=True)
class Chassis:
    """The lower half of a car: its front is at +z, its wheels stand on y = 0.

    Attributes:
        width: of the body.
        length: of the body.
        floor: height of its lower edge.
        belt: height of its upper edge.
        wheel: radius.
    """

    width: float
    length: float
    floor: float
    belt: float
    wheel: float

    @classmethod
    def drawn(cls, g: np.random.Generator, *, length: tuple[float, float], belt: tuple[float, float]) -> Chassis:
        """Random proportions; a body is 0.38 to 0.5 wide where a saloon is about 1 long."""
        wheel = g.uniform(0.07, 0.10)
        return cls(g.uniform(0.38, 0.50), g.uniform(*length), g.uniform(0.5, 0.9) * wheel, g.uniform(*belt), wheel)

    def parts(self, g: np.random.Generator, body_color: Color) -> list[Mesh]:
        """Body, bumpers, lamps and wheels."""
        height = self.belt - self.floor
        body = box(
            (self.width, height, self.length), center=(0, self.floor + 0.5 * height, 0), taper=g.uniform(0, 0.06)
        )
        parts = [painted(body, body_color)]
        for end, lamp in ((1, LAMP), (-1, REAR_LAMP)):
            z = 0.5 * end * self.length
            bumper = box((1.02 * self.width, 0.3 * height, 0.05), center=(0, self.floor + 0.15 * height, z))
            parts.append(painted(bumper, np.array(BUMPER)))
            for side in (-1, 1):
                center = (0.36 * side * self.width, self.floor + 0.62 * height, z * 0.985)
                parts.append(painted(box((0.17 * self.width, 0.2 * height, 0.04), center=center), np.array(lamp)))
        axles = [0.31, -0.31] if self.length < 1.25 else [0.34, -0.22, -0.36]
        for axle in axles:
            parts += [piece for side in (-1, 1) for piece in self._wheel(side, axle * self.length)]
        return parts

    def _wheel(self, side: int, z: float) -> list[Mesh]:
        def disc(radius: float, thick: float) -> Mesh:
            standing = lathe(np.array([[0, 0], [radius, 0], [radius, thick], [0, thick]]), segments=16)
            # From a disc around the upward axis to one around the axle, outwards.
            return placed(placed(standing, tilt=0.5 * math.pi), turn=0.5 * side * math.pi)

        at = (side * (0.5 * self.width - 0.05), self.wheel, z)
        tyre = placed(painted(disc(self.wheel, 0.06), np.array(RUBBER)), offset=at)
        return [tyre, placed(painted(disc(0.55 * self.wheel, 0.06 + EPSILON), np.array(RIM)), offset=at)]

    def cabin(self, body_color: Color, *, front: float, back: float, height: float, taper: float) -> list[Mesh]:
        """A block of glass on the belt from z = back to front, shares of the length, and its roof."""
        long, middle = (front - back) * self.length, 0.5 * (front + back) * self.length
        wide = 0.93 * self.width
        glass = box((wide, height, long), center=(0, self.belt + 0.5 * height, middle), taper=taper)
        top = ((1 - taper) * wide + EPSILON, 0.12 * height, (1 - taper) * long + EPSILON)
        roof = box(top, center=(0, self.belt + height, middle), taper=0.05)
        # Half-way up the glass is narrower by half of the taper; the pillar stands out from its widest part.
        pillar = box((wide * (1 - 0.4 * taper), height, 0.03), center=(0, self.belt + 0.5 * height, middle))
        return [painted(glass, np.array(GLASS)), painted(roof, body_color), painted(pillar, body_color)]

    def panes(self, *, low: float, high: float, front: float, back: float, count: int) -> list[Mesh]:
        """Windows on both sides of a tall body, and its windscreen."""
        parts, step = [], (front - back) * self.length / count
        for number in range(count):
            z = back * self.length + (number + 0.5) * step
            pane = box((self.width + 2 * EPSILON, high - low, 0.8 * step), center=(0, 0.5 * (low + high), z))
            parts.append(painted(pane, np.array(GLASS)))
        screen = box((0.86 * self.width, high - low, 0.02), center=(0, 0.5 * (low + high), 0.5 * self.length))
        return [*parts, painted(screen, np.array(GLASS))]


def procedural_car(*, generator: np.random.Generator) -> Mesh:
    """A random car, upright, its front at +z, not yet scaled; all its parts are closed."""
    makers = list(KINDS.values())
    return joined(makers[generator.integers(len(makers))](generator))


def _body_color(g: np.random.Generator) -> Color:
    """A colour as cars have: white, grey or black for some, any hue for most."""
    if g.random() < 0.3:
        return np.full(3, g.choice([0.93, 0.75, 0.5, 0.15]))
    hue, strength, value = g.random(), g.uniform(0.5, 0.95), g.uniform(0.45, 0.95)
    wheel = np.clip(np.abs((6 * hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return value * (1 - strength + strength * wheel)


def _saloon(g: np.random.Generator) -> list[Mesh]:
    """A cabin in the middle, bonnet and boot."""
    body_color, chassis = _body_color(g), Chassis.drawn(g, length=(0.92, 1.08), belt=(0.19, 0.24))
    front, back = g.uniform(0.14, 0.22), g.uniform(-0.36, -0.26)
    cabin = chassis.cabin(body_color, front=front, back=back, height=g.uniform(0.11, 0.15), taper=g.uniform(0.2, 0.4))
    return chassis.parts(g, body_color) + cabin


def _hatchback(g: np.random.Generator) -> list[Mesh]:
    """A cabin up to the rear: hatchbacks, estates, off-road cars."""
    body_color, chassis = _body_color(g), Chassis.drawn(g, length=(0.75, 1.0), belt=(0.20, 0.28))
    cabin = chassis.cabin(
        body_color, front=g.uniform(0.16, 0.28), back=-0.48, height=g.uniform(0.12, 0.18), taper=g.uniform(0.1, 0.25)
    )
    return chassis.parts(g, body_color) + cabin


def _pickup(g: np.random.Generator) -> list[Mesh]:
    """A short cabin and an open bed behind it."""
    body_color, chassis = _body_color(g), Chassis.drawn(g, length=(1.0, 1.2), belt=(0.20, 0.25))
    parts = chassis.parts(g, body_color)
    back = g.uniform(-0.1, 0.02)
    parts += chassis.cabin(body_color, front=0.24, back=back, height=g.uniform(0.13, 0.17), taper=g.uniform(0.1, 0.25))
    long, wall = (back + 0.48) * chassis.length, g.uniform(0.04, 0.08)
    for side in (-1, 1):
        center = (side * 0.47 * chassis.width, chassis.belt + 0.5 * wall, (back - 0.48) * 0.5 * chassis.length)
        parts.append(painted(box((0.03, wall, long), center=center), body_color))
    gate = box((0.94 * chassis.width, wall, 0.03), center=(0, chassis.belt + 0.5 * wall, -0.475 * chassis.length))
    return [*parts, painted(gate, body_color)]


def _van(g: np.random.Generator) -> list[Mesh]:
    """One tall body with windows in front, or all along: vans and buses."""
    body_color, bus = _body_color(g), g.random() < 0.5
    length = (1.1, 1.6) if bus else (0.85, 1.1)
    chassis = Chassis.drawn(g, length=length, belt=(0.36, 0.48))
    low, high = 0.55 * chassis.belt, 0.88 * chassis.belt
    count, back = (int(g.integers(4, 8)), -0.46) if bus else (int(g.integers(1, 3)), 0.1)
    return chassis.parts(g, body_color) + chassis.panes(low=low, high=high, front=0.46, back=back, count=count)


def _lorry(g: np.random.Generator) -> list[Mesh]:
    """A cab in front of a load of another colour: lorries, ambulances, tippers."""
    body_color, load, chassis = _body_color(g), _body_color(g), Chassis.drawn(g, length=(1.1, 1.5), belt=(0.14, 0.18))
    parts = chassis.parts(g, np.array(BUMPER))
    long, tall = g.uniform(0.22, 0.3) * chassis.length, g.uniform(0.24, 0.32)
    middle = 0.5 * (chassis.length - long)
    cab = box((chassis.width, tall, long), center=(0, chassis.belt + 0.5 * tall, middle), taper=g.uniform(0, 0.12))
    parts.append(painted(cab, body_color))
    glass = box(
        (1.01 * chassis.width, 0.35 * tall, 0.6 * long), center=(0, chassis.belt + 0.68 * tall, middle + 0.22 * long)
    )
    parts.append(painted(glass, np.array(GLASS)))
    body, high = 0.96 * chassis.length - long, g.uniform(0.08, 0.42)
    center = (0, chassis.belt + 0.5 * high, -0.5 * (chassis.length - body) + 0.01)
    return [*parts, painted(box((1.04 * chassis.width, high, body), center=center, taper=g.choice([0.0, 0.06])), load)]


KINDS: dict[str, Callable[[np.random.Generator], list[Mesh]]] = {
    "saloon": _saloon,
    "hatchback": _hatchback,
    "pickup": _pickup,
    "van": _van,
    "lorry": _lorry,
}
