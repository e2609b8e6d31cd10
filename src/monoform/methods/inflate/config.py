"""Options of `inflate`."""

from __future__ import annotations

from dataclasses import dataclass

from ...ranges import require_ranges


@dataclass(frozen=True)
class InflateConfig:
    """Silhouette to solid.

    Attributes:
        thickness: depth of the solid relative to the round one, whose cross-sections are circles (0.2..3).
        smoothing: width of the smoothing of the thickness, as a share of the object's longest side (0..0.2).
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        detail: longest side of the thickness map in cells (64..1024).
    """

    thickness: float = 1.0
    smoothing: float = 0.015
    fov: float = 35.0
    detail: int = 448

    def __post_init__(self) -> None:
        require_ranges(
            self, "inflate's", thickness=(0.2, 3.0), smoothing=(0.0, 0.2), fov=(1.0, 120.0), detail=(64, 1024)
        )
