"""The options of iNeRF: of the aligner that replaces its optimizer, and all together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from ...errors import InputError
from ...ranges import require_ranges
from .descent_config import SAMPLINGS as SAMPLINGS
from .descent_config import Compat as Compat
from .descent_config import Frame as Frame
from .descent_config import PhotometricAdam as PhotometricAdam
from .published import PRESETS


@dataclass(frozen=True)
class Limits:
    """What a pose must fulfil to be believed.

    Attributes:
        detail: least correlation of detail between the rendered and the seen object.
        explained: least share of the photo's object region that the render explains.
        spread: largest angle in radians to another start's pose that looks nearly as good.
        rival: another start counts when its score was below so many times the best when it was given up.
        zoom: largest logarithm of a focal length that would fit better.
        overlap: least share of the rendered object that lies in the photo.
        drift: largest angle in radians that the pose would still turn if it went on.
        deviation: largest standard deviation in radians that is told of the rotation.
    """

    detail: float = 0.7
    explained: float = 0.75
    spread: float = math.radians(8.0)
    rival: float = 1.1
    zoom: float = 0.12
    overlap: float = 0.3
    drift: float = math.radians(1.0)
    deviation: float = math.radians(3.0)


@dataclass(frozen=True)
class InerfOptions:
    """How a pose is found.

    Attributes:
        optimizer: lm: least squares on rendered pictures, coarse to fine; adam: the paper's.
        starts: poses that are tried around the given one.
        spread: degrees between the poses that are tried around the given one.
        search: poses that are tried all around where none is given.
        keep: how many of the poses of `search` go on.
        elsewhere: whether all around is tried, too, where what was found from the start does not look like the photo.
        gain: standard deviation of the logarithm of the photo's brightness relative to the scene's; 0 holds it.
        fit_focal: whether the focal length is found too.
        longest: pixels of the photo's longer side that are used at most.
        descent: of adam.
        limits: what a pose must fulfil to be believed.
    """

    optimizer: Literal["lm", "adam"] = "lm"
    starts: int = 7
    spread: float = 14.0
    search: int = 96
    keep: int = 12
    elsewhere: bool = True
    gain: float = 0.2
    fit_focal: bool = False
    longest: int = 288
    descent: PhotometricAdam = field(default_factory=PhotometricAdam)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.optimizer not in ("lm", "adam"):
            raise InputError(f"inerf's optimizer is {self.optimizer!r}; choose lm or adam.")
        require_ranges(self, "inerf's", starts=(1, 64), spread=(0.0, 90.0), search=(1, 4096), keep=(1, 256))
        require_ranges(self, "inerf's", gain=(0.0, 2.0), longest=(32, 1024))

    @classmethod
    def preset_names(cls) -> tuple[str, ...]:
        """Names that `preset` takes."""
        return tuple(PRESETS)

    @classmethod
    def preset(cls, name: str) -> InerfOptions:
        """Settings of a published program, by its name: paper, script, notebook, screw.

        Raises:
            InputError: there is no such name.
        """
        if name not in PRESETS:
            raise InputError(f"inerf has no preset {name!r}: choose one of {', '.join(PRESETS)}.")
        return cls(optimizer="adam", descent=PRESETS[name])

    def changed(self, **given: Any) -> InerfOptions:
        """The same with those of the values that are not None, of these options or of the descent, by name."""
        told = {name: value for name, value in given.items() if value is not None}
        own = {name: told.pop(name) for name in [item.name for item in fields(self)] if name in told}
        return replace(self, descent=replace(self.descent, **told), **own)
