"""What the inverse renderer assumes of its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InputError

RESOLUTION = 64
"""Pixels that its networks halve down to one."""


@dataclass(frozen=True)
class GeodConfig:
    """Ranges of what the inverse renderer tells of a picture (Wu et al. 2020, Unsup3D)."""

    fov: float = 18.837
    """Degrees that a picture shows."""
    min_depth: float = 2.25
    """Of the canonical surface, along z."""
    max_depth: float = 3.3
    """Of the canonical surface, along z."""
    border_depth: float = 0.7 * 3.3 + 0.3 * 2.25
    """Of the two columns at each side, which the canonical surface is held at."""
    rotation_depth: float = 0.5 * (2.25 + 3.3)
    """Of the point that views turn about."""
    rotation_range: float = 60.0
    """Degrees that a view is turned at most about each axis."""
    xy_shift: float = 0.1
    """How far a view is shifted at most, sideways."""
    z_shift: float = 0.0
    """How far a view is shifted at most, in depth."""
    ambient: tuple[float, float] = (0.0, 1.0)
    """Range of ambient light."""
    diffuse: tuple[float, float] = (0.0, 1.0)
    """Range of light from a direction."""
    margin: float = 0.5 * (3.3 - 2.25)
    """What warped depths may lie beyond the canonical range; what lies at its far end is no surface."""
    supersampling: int = 2
    """Samples of a pixel in each direction, averaged."""
    uncovered: float = 100.0
    """Depth of a sample that no surface covers: at outlines it is averaged in, as published."""

    def __post_init__(self) -> None:
        if not 0 < self.min_depth < self.max_depth:
            raise InputError(f"GeoD's depths are {self.min_depth}..{self.max_depth}; the second must be the larger.")
        if not 0 < self.fov < 180:
            raise InputError(f"GeoD's fov is {self.fov} degrees; it must lie in 0..180.")
        if not 1 <= self.supersampling <= 16:
            raise InputError(f"GeoD's supersampling is {self.supersampling}; it must lie in 1..16.")

    @property
    def farthest(self) -> float:
        """The depth that warped depths are clamped to; what lies there is no surface."""
        return self.max_depth + self.margin
