"""How far bootstrapped inversion refines what its encoder tells of a photo (Pavllo et al. 2023, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from ...ranges import require_ranges
from ...training.schedule import Constant, Cosine, Schedule
from .counting import Counting

HIGH_GAIN = 10.0


@dataclass(frozen=True)
class InversionOptions:
    """How far latent and camera are refined; the defaults are the published ones.

    Attributes:
        steps: of refinement; 0 keeps what was predicted. None: 30, or 10 with a gain of 10 or more.
        gain: a latent moves by so many times the rate.
        rate: Adam's step length.
        pose_rate: that of the camera; None for the same.
        cosine: whether rates fall to 0 as a cosine; else they stay.
        split: whether every layer's latent is refined apart; else one for all.
        refine_pose: whether the camera is refined,
        refine_focal: and its focal length, too; not where that is known.
        counting: which rays are followed: "all"; "cube", those that meet the object's cube, which gives the same; or
            "object", those around the photo's object and the rendered one.
        half: whether planes and perceptual features are computed with 8 bits of precision (bfloat16).
        patience: end when the loss has not fallen for so many steps; None: never.
        tries: after so many steps the best of several cameras of a photo goes on.
        tuning_steps: of the generator itself, afterwards and for this photo alone.
        tuning_rate: Adam's step length for these.
    """

    steps: int | None = None
    gain: float = 5.0
    rate: float = 2e-3
    pose_rate: float | None = None
    cosine: bool = False
    split: bool = True
    refine_pose: bool = True
    refine_focal: bool = True
    counting: Counting = "cube"
    half: bool = False
    patience: int | None = None
    tries: int = 5
    tuning_steps: int = 0
    tuning_rate: float = 3e-4

    def __post_init__(self) -> None:
        whose = "inversion's"
        require_ranges(self, whose, steps=(0, 100_000), gain=(1e-3, 1e4), rate=(1e-9, 10.0), pose_rate=(0.0, 10.0))
        require_ranges(self, whose, patience=(1, 100_000), tries=(1, 100_000))
        require_ranges(self, whose, tuning_steps=(0, 100_000), tuning_rate=(1e-9, 1.0))

    @property
    def updates(self) -> int:
        """Number of steps."""
        return self.steps if self.steps is not None else 10 if self.gain >= HIGH_GAIN else 30

    def schedule(self) -> Schedule:
        """Factor on the rates."""
        return Cosine(max(self.updates, 1)) if self.cosine else Constant()
