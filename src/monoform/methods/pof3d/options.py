"""How samples are made, and how a photo is looked for among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import InputError
from ...ranges import require_ranges

Crop = Literal["auto", "center", "pad", "object"]


@dataclass(frozen=True)
class Pof3dOptions:
    """How samples are made, and how a photo is looked for among them.

    Attributes:
        weights: folder that `monoform convert` or `monoform train pof3d` wrote; "" for the cars that ship.
        truncation: how far styles lie from the mean one; 1 as far as they are drawn.
        cutoff: only so many layers, the coarse ones, are truncated; none for all.
        noise: in the layers: const, that of the weights; random, drawn from the seed; none.
        fov: field of view of samples in degrees, as the published program counts it (18.837 for its faces and cats, 18
            as it is run); none for that of the weights' training.
        level: raw density at which the surface lies; none for that of the weights (10 where published), or half the
            largest where there is less.
        steps: updates of a photo's styles and pose.
        starts: poses that are tried at first.
        crop: the square of the photo: center, pad, object (around the mask), or auto: object for weights that draw on
            white, center for others.
        fill: share of the square that the object's longer side takes, where the square is around it; none for that of
            the weights' training.
    """

    weights: str = ""
    truncation: float = 1.0
    cutoff: int | None = None
    noise: Literal["const", "random", "none"] = "const"
    fov: float | None = None
    level: float | None = None
    steps: int = 200
    starts: int = 4
    crop: Crop = "auto"
    fill: float | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "pof3d's", truncation=(-10.0, 10.0), cutoff=(0, 1000), fov=(1.0, 170.0))
        require_ranges(self, "pof3d's", level=(1e-6, 1e6), steps=(1, 100_000), starts=(1, 64), fill=(0.1, 1.0))
        if self.noise not in ("const", "random", "none"):
            raise InputError(f"pof3d's noise is {self.noise!r}; choose const, random or none.")
        if self.crop not in ("auto", "center", "pad", "object"):
            raise InputError(f"pof3d's crop is {self.crop!r}; choose auto, center, pad or object.")
