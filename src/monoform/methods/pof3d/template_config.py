"""Whether and how a template tells the poses of photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...ranges import require_ranges


@dataclass(frozen=True)
class TemplateOptions:
    """A field of features that tells poses of photos (after TeFF, Chen et al. 2024).

    Attributes:
        weight: of the poses that it tells in the losses of both networks; 0 for no template, as published.
        yaws: directions around the circle that are told apart, evenly.
        elevations: that are told apart, evenly over the range of the pose's head.
        half_turn: things look much the same from opposite sides: which of both a photo shows, the discriminator tells.
        prior: uniform, as many photos from each yaw; or free.
        starts: fits of which the best is taken.
        steps: of a fit.
        photos: that it is fitted to, at most; it tells the poses of all.
    """

    weight: float = 0.0
    yaws: int = 24
    elevations: int = 3
    half_turn: bool = True
    prior: Literal["uniform", "free"] = "uniform"
    starts: int = 4
    steps: int = 60
    photos: int = 1500

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's template", weight=(0.0, 1e6), yaws=(4, 360), elevations=(1, 90))
        require_ranges(self, "PoF3D's template", starts=(1, 1000), steps=(1, 10**6), photos=(2, 10**6))

    @property
    def views(self) -> int:
        """Yaws of its views: of half a turn, where opposite ones look alike."""
        return self.yaws // 2 if self.half_turn else self.yaws
