"""The settings of LIST's training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ...data.sdf.items import DrawOptions
from ...errors import InputError
from ...renamed import renamed
from ...training import LoopSettings, TrainOptions

Format = Literal["auto", "pack", "shapenet", "pix3d"]


@renamed(recolour="recolor")
@dataclass(frozen=True)
class ListTraining(LoopSettings):
    """What is trained, and what a step consists of.

    Attributes:
        config: name of a configuration: small for CPUs, or shapenet.
        format: of the data: pack (of `monoform prepare meshes`), shapenet or pix3d; auto tells it by the files.
        weights: folder of a trained first stage, or of a whole LIST to go on with; "" for none.
        first_share: share of the steps, and of the time where it is limited, that the first stage takes.
        first_batch: objects in a step of the first stage.
        batch: objects in a step of the second stage.
        first_rate: highest learning rate of the first stage.
        rate: highest learning rate of the second stage.
        points: with distances, of each object in a step.
        fractions: of the points at each offset from the surface (shapenet, pix3d).
        cloud: surface points of each object in a step (pack).
        published: losses, optimizer and constant rate of the original, no averaged weights, no clipping.
        recolor: change colours at random.
        categories: names of those that are learned from; none for all (shapenet, pix3d).
    """

    config: str = "small"
    format: Format = "auto"
    weights: str = ""
    first_share: float = 0.3
    first_batch: int = 32
    batch: int = 16
    first_rate: float = 1e-3
    rate: float = 1e-3
    points: int = 1024
    fractions: tuple[float, ...] = (0.45, 0.44, 0.1)
    cloud: int = 1024
    published: bool = False
    recolor: bool = True
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("first_batch", "batch", "points", "cloud"):
            if getattr(self, name) < 1:
                raise InputError(f"LIST's {name} is {getattr(self, name)}; it must be at least 1.")
        if self.batch < 2 or self.first_batch < 2:
            raise InputError("LIST's batch and first_batch must be at least 2: batch norms compare objects.")
        if not 0 < self.first_share < 1:
            raise InputError(f"LIST's first_share is {self.first_share}; give a share of the steps, above 0, below 1.")
        if self.format not in get_args(Format):
            raise InputError(f"LIST's format is {self.format!r}; choose one of {', '.join(get_args(Format))}.")

    def loop(self, *, steps: int, **more: Any) -> TrainOptions:
        """The loop's options; the original neither averages nor clips."""
        options = super().loop(steps=steps, **more)
        return replace(options, ema_decay=None, clip=None) if self.published else options

    @property
    def drawn(self) -> DrawOptions:
        """What is drawn of sample files."""
        return DrawOptions(self.fractions, self.points)
