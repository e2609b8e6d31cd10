"""Where a data set's or a generator's cameras are: distributions of poses that look at the origin."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .camera import Camera
from .poses import look_at, spherical_position

HALF_PI = 0.5 * math.pi


class PoseDistribution(Protocol):
    """Cameras drawn at random; azimuth about +y from +z towards +x, elevation from the horizon, in radians."""

    def angles(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """n azimuths and elevations."""
        ...

    def sample(self, n: int, generator: torch.Generator) -> Camera:
        """n cameras that look at the origin."""
        ...


@dataclass(frozen=True, kw_only=True)
class _LookingAtOrigin(ABC):
    """The part that all share: pinhole cameras at one distance.

    Args:
        distance: from the origin, in world units.
        fov_y: radians.
        width: pixels.
        height: pixels.
    """

    distance: float = 2.0
    fov_y: float = math.radians(40.0)
    width: int = 128
    height: int = 128

    @abstractmethod
    def angles(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """n azimuths and elevations."""

    def sample(self, n: int, generator: torch.Generator) -> Camera:
        azimuth, elevation = self.angles(n, generator)
        pose = look_at(spherical_position(azimuth, elevation, self.distance))
        return Camera.from_fov(pose, self.fov_y, self.width, self.height)


@dataclass(frozen=True, kw_only=True)
class UniformZone(_LookingAtOrigin):
    """Uniform by area on a zone of the sphere.

    Attributes:
        elevation: least and largest, in radians.
        azimuth: least and largest, in radians.
    """

    elevation: tuple[float, float] = (-HALF_PI, HALF_PI)
    azimuth: tuple[float, float] = (-math.pi, math.pi)

    def __post_init__(self) -> None:
        low, high = self.elevation
        if not -HALF_PI <= low <= high <= HALF_PI:
            raise InputError(f"UniformZone elevation is {self.elevation}; it must rise within -pi/2..pi/2 radians.")
        if self.azimuth[0] > self.azimuth[1]:
            raise InputError(f"UniformZone azimuth is {self.azimuth}; the first must not exceed the second.")

    def angles(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        # Archimedes: the area of a zone is proportional to its height, so the sine of the elevation is uniform.
        draws = torch.rand(2, n, generator=generator, device=generator.device)
        low, high = math.sin(self.elevation[0]), math.sin(self.elevation[1])
        elevation = torch.asin((low + (high - low) * draws[1]).clamp(-1.0, 1.0))
        return self.azimuth[0] + (self.azimuth[1] - self.azimuth[0]) * draws[0], elevation


@dataclass(frozen=True, kw_only=True)
class UniformSphere(_LookingAtOrigin):
    """Uniform by area on the whole sphere."""

    def angles(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        return UniformZone().angles(n, generator)


@dataclass(frozen=True, kw_only=True)
class GaussianAngles(_LookingAtOrigin):
    """Normal azimuth and elevation.

    Attributes:
        azimuth: mean and standard deviation, in radians.
        elevation: mean and standard deviation, in radians; it stops at the poles.
    """

    azimuth: tuple[float, float] = (0.0, 0.3)
    elevation: tuple[float, float] = (0.0, 0.15)

    def __post_init__(self) -> None:
        if self.azimuth[1] < 0 or self.elevation[1] < 0:
            raise InputError(
                f"GaussianAngles deviations are {self.azimuth[1]} and {self.elevation[1]}; they must not be negative."
            )

    def angles(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        draws = torch.randn(2, n, generator=generator, device=generator.device)
        elevation = self.elevation[0] + self.elevation[1] * draws[1]
        return self.azimuth[0] + self.azimuth[1] * draws[0], elevation.clamp(-HALF_PI, HALF_PI)
