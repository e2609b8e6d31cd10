"""The options of iNeRF (Yen-Chen et al. 2021) as published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...errors import InputError
from ...renamed import renamed

Frame = Literal["world", "camera", "object"]
Parametrization = Literal["se3", "matrix", "screw7"]
Sampling = Literal["random", "center", "patch", "points", "regions", "object"]
FRAMES: tuple[Frame, ...] = ("world", "camera", "object")
SAMPLINGS: tuple[Sampling, ...] = ("random", "center", "patch", "points", "regions", "object")


@renamed(parametrisation="parametrization")
@dataclass(frozen=True)
class Compat:
    """Behaviours of the published programs that are kept for comparing numbers, never the default.

    Attributes:
        parametrization: "matrix": the 16 entries of the pose are the variables and nothing keeps them rigid (official
            script); "screw7": axis, translation and angle are free of each other, and the axis' length is never 1 (a
            widespread re-implementation); "se3": the paper's exponential.
        encoder_batchnorm: "batch": the field of one photo is encoded anew at every step with the statistics of that
            photo, as the official script does, which never leaves training mode; "running": once, in evaluation mode.
        constant_rate: the rate does not fall.
        with_replacement: a pixel may be drawn twice in a step.
        pose_before_update: the pose that is reported is that of the last measured loss, not the one after its update.
        unit_directions: whether rays have unit direction; else they have length 1 along the camera's z axis, as in the
            original NeRF, whose near and far are along z.
        grid_start: starts exactly at the source camera of a pixelNeRF, where the look-up of features has a kink;
            else 0.001 beside it.
    """

    parametrization: Parametrization = "se3"
    encoder_batchnorm: Literal["running", "batch"] = "running"
    constant_rate: bool = False
    with_replacement: bool = False
    pose_before_update: bool = False
    unit_directions: bool = True
    grid_start: bool = False


@dataclass(frozen=True)
class PhotometricAdam:
    """The paper's optimizer (section 3.2) on colours of sampled pixels.

    Attributes:
        steps: updates.
        rays: pixels in each step; 512, 1024 and 2048 are those of the paper.
        sampling: which pixels (section 3.3); "regions" is the paper's, around interest points.
        rate: Adam's, falling as rate * decay^(t / 100).
        decay: factor on the rate after 100 steps.
        translation_scale: the translational variables' rate, as a multiple of `rate`; the paper has 1.
        frame: about what the motion turns; the paper has "world".
        dilations: how often interest points are widened to regions.
        kernel: side in pixels of the box that they are widened by.
        fit_gain: whether a factor on the rendered colors is found along, for photos that are brighter or darker.
        compat: behaviours of published programs.
    """

    steps: int = 300
    rays: int = 2048
    sampling: Sampling | Literal["centre"] = "regions"
    rate: float = 1e-2
    decay: float = 0.8
    translation_scale: float = 1.0
    frame: Frame = "world"
    dilations: int = 3
    kernel: int = 5
    fit_gain: bool = False
    compat: Compat = field(default_factory=Compat)

    def __post_init__(self) -> None:
        if self.steps < 0 or self.rays < 1 or self.dilations < 0 or self.kernel < 1:
            raise InputError(
                f"iNeRF has {self.steps} steps of {self.rays} rays, {self.dilations} dilations by {self.kernel} "
                "pixels; give at least 0 steps, 1 ray, 0 dilations and 1 pixel."
            )
        if not self.rate > 0 or not 0 < self.decay <= 1 or not self.translation_scale > 0:
            raise InputError(
                f"iNeRF has rate {self.rate}, decay {self.decay} and translation_scale {self.translation_scale}; "
                "give positive ones, and a decay of at most 1."
            )
        if self.sampling == "centre":  # its name before
            object.__setattr__(self, "sampling", "center")
        if self.sampling not in SAMPLINGS:
            raise InputError(f"iNeRF's sampling is {self.sampling!r}; choose one of {', '.join(SAMPLINGS)}.")
        if self.frame not in FRAMES:
            raise InputError(f"iNeRF's frame is {self.frame!r}; choose one of {', '.join(FRAMES)}.")
