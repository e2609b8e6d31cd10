"""How PoF3D tells poses, and what is known of its cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ...errors import InputError
from ...ranges import require_ranges

Learned = Literal["nothing", "radius", "fov"]
Range = tuple[float, float]
FOV = 18.837
"""Degrees that EG3D's cameras of faces see."""
POLE = 1e-5
"""How near to a pole an elevation parameter may come, radians."""


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is none of the choices.

    Raises:
        InputError: it is none.
    """
    if value not in choices:
        raise InputError(f"PoF3D's {name} is {value!r}; choose one of {', '.join(choices)}.")


@dataclass(frozen=True)
class PoseHead:
    """How a pose is told by the style (section 3.1).

    Attributes:
        learned: a third number besides yaw and elevation: nothing, the radius or the field of view.
        linear: one layer instead of two.
        rate: of learning of these layers, as a share of that of the others.
        yaw: told as a plain number, or as a direction on the circle, where a whole turn is no distance.
        elevation: free, where a pose may lie beyond the poles, or bounded by them in a smooth way.
        elevation_mean: elevation parameter that a network begins around, radians; pi / 2 is the equator.
        elevation_reach: how far a bounded one may lie from the mean, radians; none for the way to the nearer pole.
        uniform: drawn instead of learned: yaw over the circle, elevation within pi / 8 of the equator.
        detached: whether the pose sends no gradient to the style.
        yaw_mean: yaw that a network begins around, radians.
        third_mean: what the third number begins around, world units or degrees; none for that of the rig.
        clamp_yaw: least and largest yaw, radians; none for none.
        clamp_elevation: of the elevation parameter, radians; none for none.
    """

    learned: Learned = "nothing"
    linear: bool = False
    rate: float = 0.01
    yaw: Literal["circle", "number"] = "circle"
    elevation: Literal["bounded", "free"] = "bounded"
    elevation_mean: float = math.pi / 2
    elevation_reach: float | None = None
    uniform: bool = False
    detached: bool = False
    yaw_mean: float = math.pi / 2
    third_mean: float | None = None
    clamp_yaw: Range | None = None
    clamp_elevation: Range | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", rate=(1e-6, 1e3), yaw_mean=(-100.0, 100.0), third_mean=(1e-3, 1e3))
        require_ranges(self, "PoF3D's", clamp_yaw=(-100.0, 100.0), clamp_elevation=(0.0, math.pi))
        require_ranges(self, "PoF3D's", elevation_mean=(POLE, math.pi - POLE), elevation_reach=(POLE, math.pi / 2))
        if self.reach > self.way:
            raise InputError(
                f"PoF3D's elevation_reach is {self.elevation_reach:g}, beyond a pole from the mean "
                f"{self.elevation_mean:g}: give {self.way:.6g} at most."
            )
        for name, choices in (("learned", get_args(Learned)), ("yaw", ("circle", "number"))):
            require_choice(name, getattr(self, name), choices)
        require_choice("elevation", self.elevation, ("bounded", "free"))
        for name in ("clamp_yaw", "clamp_elevation"):
            found = getattr(self, name)
            if found is not None and not (len(found) == 2 and found[0] <= found[1]):
                raise InputError(f"PoF3D's {name} is {found}; give the least and the largest angle.")

    @property
    def way(self) -> float:
        """Radians of the elevation parameter from the mean to the nearer pole."""
        return min(self.elevation_mean, math.pi - self.elevation_mean)

    @property
    def reach(self) -> float:
        """How far a bounded elevation parameter may lie from the mean, radians."""
        return self.way if self.elevation_reach is None else self.elevation_reach

    @property
    def size(self) -> int:
        """How many numbers a pose has: yaw, elevation parameter, and radius or field of view in degrees."""
        return 2 if self.learned == "nothing" else 3


@dataclass(frozen=True)
class Rig:
    """The cameras of a data set: what is known of them before anything is learned.

    Attributes:
        pivot: what all cameras look at, in world units.
        radius: distance of the cameras from the origin, in world units.
        focal: of images whose side is 1.
        fill: share of the image's side that an object's longer side takes.
    """

    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 2.7
    focal: float = 4.2634
    fill: float = 0.8

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", pivot=(-1e3, 1e3), radius=(1e-3, 1e3), focal=(0.05, 1e3), fill=(0.1, 1.0))


def focal_of(fov: float, *, truncated: bool = False) -> float:
    """Focal length of images whose side is 1, of a field of view in degrees from corner to corner.

    Args:
        truncated: with 3.14159 and 1.414 for pi and the square root of 2, as the published code has them.
    """
    pi, root = (3.14159, 1.414) if truncated else (math.pi, math.sqrt(2))
    return 1 / (math.tan(fov * pi / 360) * root)


def fov_of(focal: float) -> float:
    """The field of view in degrees from corner to corner: the inverse of `focal_of`."""
    return math.degrees(2 * math.atan(1 / (focal * math.sqrt(2))))
