"""The cameras of ShapeNet's renderings with more variation (Xu et al. 2019): `rendering_metadata.txt`, a line a view.

Objects have a bounding box whose diagonal is 1, around the origin; every camera looks at the origin, upright. In the
harder set the object is moved off it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import InputError
from ...inputs import read_text

Variation = Literal["easy", "hard"]
VARIATIONS: tuple[Variation, ...] = ("easy", "hard")
METADATA = "rendering_metadata.txt"
VIEWS, SIDE = 36, 224
FOCAL_MM, SENSOR_MM, FARTHEST = 35, 32, 1.75
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class RenderedFrom:
    """Where a view was rendered from.

    Attributes:
        azimuth: degrees about the vertical, from +x towards +z.
        elevation: degrees above the horizon.
        ratio: distance from the origin, of `FARTHEST`.
        shift: by which the object was moved, in its own axes.
    """

    azimuth: float
    elevation: float
    ratio: float
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def eye(self) -> tuple[float, float, float]:
        """The camera's place in the frame of the object as it was before it was moved."""
        turn, height = math.radians(self.azimuth), math.radians(self.elevation)
        level = math.cos(height)
        ways = (math.cos(turn) * level, math.sin(height), math.sin(turn) * level)
        x, y, z = (FARTHEST * self.ratio * way - by for way, by in zip(ways, self.shift, strict=True))
        return x, y, z

    def line(self) -> str:
        """The line of the file; the program that rendered counts z upwards."""
        x, y, z = self.shift
        numbers = (self.azimuth, self.elevation, 0, self.ratio, FOCAL_MM, SENSOR_MM, FARTHEST, x, -z, y)
        return f"[{','.join(repr(each) for each in numbers)}]"


def read_cameras(file: Path) -> list[RenderedFrom]:
    """The cameras of a folder of views, in their order.

    Raises:
        InputError: the file cannot be read, or a line has fewer than ten numbers.
    """
    found = []
    for number, line in enumerate(read_text(file, advice="unpack it again").splitlines(), start=1):
        words = [float(word) for word in _NUMBER.findall(line)]
        if not words:
            continue
        if len(words) < 10:
            raise InputError(f"{file}, line {number}, has {len(words)} numbers and not 10; unpack it again.")
        azimuth, elevation, _, ratio, *_, x, y, z = words[:10]
        found.append(RenderedFrom(azimuth, elevation, ratio, (x, z, -y)))
    return found
