"""Options of a fit: views, weights of the losses, the optimizer, and what of the published code is kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from ...errors import InputError
from ...ranges import require_ranges
from .annealed import require_annealed
from .network_config import PUBLISHED_FIELD, FieldConfig

Range = tuple[float, float]
PUBLISHED_SCALE = 1.0 / 65536.0
"""What the published mixed precision divides the prior's gradient by, while it multiplies and divides all others."""


@dataclass(frozen=True)
class Weights:
    """Weights of the losses: "v"; "a b", from a to b over the fit; or "a b n linear" (or log), over its first n steps.

    Attributes:
        prior: of the diffusion prior's judgement of a view.
        view: of the judgement of the prior that is told by the photo, where the option `view_prior` gives one.
        image: of the photo's colors.
        mask: of the photo's mask.
        entropy: of the coverage: rays that are neither through nor stopped.
        opacity: of the coverage itself: what is there at all.
        orient: of normals that turn away from the viewer.
        smooth: of normals that change from point to point, which costs as much as the rendering itself.
        smooth_2d: of normal maps that are not smooth.
        depth: of the correlation with the depth map of the photo, where the option `depth` gives one.
        normal: of the agreement with the normal map of the photo, where the option `normals` gives one.
    """

    prior: str = "1"
    view: str = "1"
    image: str = "5"
    mask: str = "0.5"
    entropy: str = "1e-4"
    opacity: str = "0"
    orient: str = "1e-2"
    smooth: str = "0"
    smooth_2d: str = "0.5"
    depth: str = "0.1"
    normal: str = "0.1"

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            require_annealed(f"realfusion's losses.{item.name}", getattr(self, item.name), 0.0, 1e9)


@dataclass(frozen=True)
class Views:
    """Cameras of the photo and of the views that the prior judges.

    Attributes:
        elevation: of the photo's camera above the horizon, in degrees.
        radius: distance of the photo's camera from the origin, in world units.
        count: views that the prior judges at a step.
        size: their side in pixels.
        radius_range: of their distance.
        fov_range: of their vertical field of view, in degrees; the photo has the middle of it where it says nothing.
        polar_range: of their polar angle from straight above, in degrees.
        azimuth_range: of their azimuth from the photo's, in degrees.
        sphere_share: of them that come from the upper half space evenly instead.
        jitter: moves and turns them a little.
        front: degrees of the sectors that are called front and back.
        overhead: degrees around the poles that are called overhead and bottom.
        directions: say "front view", "side view" ... at the end of the prompt.
        replace_every: at one step of so many the view is the photo's own; 0 for never.
        replace_noise: by which this view's rays are moved, of a normal draw.
    """

    elevation: float = 15.0
    radius: float = 1.8
    count: int = 1
    size: int = 96
    radius_range: Range = (1.0, 1.5)
    fov_range: Range = (40.0, 70.0)
    polar_range: Range = (0.0, 120.0)
    azimuth_range: Range = (0.0, 360.0)
    sphere_share: float = 0.5
    jitter: bool = False
    front: float = 60.0
    overhead: float = 30.0
    directions: bool = True
    replace_every: int = 10
    replace_noise: float = 0.02

    def __post_init__(self) -> None:
        whose = "realfusion's views."
        limits = {"elevation": (-89.0, 89.0), "radius": (0.1, 100.0), "count": (1, 64), "size": (8, 1024)}
        limits |= {"radius_range": (0.1, 100.0), "fov_range": (1.0, 150.0), "polar_range": (0.0, 180.0)}
        limits |= {"azimuth_range": (-360.0, 360.0), "sphere_share": (0.0, 1.0), "front": (1.0, 179.0)}
        limits |= {"overhead": (0.0, 89.0), "replace_every": (0, 1_000_000), "replace_noise": (0.0, 1.0)}
        for name, (low, high) in limits.items():
            require_ranges(self, whose.rstrip("."), **{name: (low, high)})
        for name in ("radius_range", "fov_range", "polar_range", "azimuth_range"):
            low, high = getattr(self, name)
            if low > high:
                raise InputError(f"{whose}{name} is {low} {high}; give the lower one first.")


@dataclass(frozen=True)
class PhotoOptions:
    """The photo's own view.

    Attributes:
        size: its side in pixels, as it is compared.
        rays: that are drawn of it at a step.
        every: steps from one to the next that look at it.
        start: the first step that does.
        noise: by which its rays are moved, of a normal draw.
        noise_annealed: this noise falls to 0 in the course of the fit.
        background: what is behind the object there: "white", or "learned" for each direction, as published.
    """

    size: int = 128
    rays: int = 4096
    every: int = 1
    start: int = 0
    noise: float = 0.001
    noise_annealed: bool = True
    background: Literal["white", "learned"] = "white"

    def __post_init__(self) -> None:
        whose = "realfusion's photo"
        require_ranges(self, whose, size=(8, 2048), rays=(1, 1 << 20), every=(1, 1_000_000), start=(0, 1_000_000_000))
        require_ranges(self, whose, noise=(0.0, 1.0))
        if self.background not in ("white", "learned"):
            raise InputError(f"{whose} background is {self.background!r}; choose white or learned.")


@dataclass(frozen=True)
class Compat:
    """Faults of the published code, each of which its checkpoints or figures were made with.

    Attributes:
        off_center: the sector "front" begins at the photo's view and is not centered on it.
        inverted_replacement: the prompt is that of the front at all steps but one of `replace_every`, and the view's
            rays are moved and not replaced.
        late_occupancy: nothing is known to be occupied before the first update is due, at step `occupancy_every`.
        padded_means: means over samples count those that fill the last block of 128, too.
        constant_annealing: weights of four words do not change.
        zero_depth_clock: depth of training views is counted from where a ray enters the box.
    """

    off_center: bool = False
    inverted_replacement: bool = False
    late_occupancy: bool = False
    padded_means: bool = False
    constant_annealing: bool = False
    zero_depth_clock: bool = False

    @classmethod
    def published(cls) -> Compat:
        """All of them."""
        return cls(**{item.name: True for item in dataclasses.fields(cls)})


@dataclass(frozen=True)
class FitOptions:
    """How a field is fitted to a photo and a prior.

    Attributes:
        steps: of the fit.
        albedo_steps: first steps whose views show no light.
        normal_steps: first steps whose views show normals instead of colors, as in Magic123.
        hidden_levels: finest levels of the grid that are left out at first.
        hidden_steps: steps for which they are.
        occupancy_every: steps from one look for empty space to the next.
        optimizer: "adam", "adamw", or "adan", which takes five times the rate.
        rate: of the networks; the grid learns ten times as fast.
        weight_decay: of adamw.
        ema_decay: of the averaged weights that are shown; 0 for none.
        ema_every: steps from one average to the next.
        prior_scale: on the prior's gradient; 1/65536 is what the published mixed precision came to.
        views: cameras.
        photo: the photo's view.
        losses: their weights.
        network: sizes of the radiance field.
        compat: faults of the published code that are kept.
    """

    steps: int = 5000
    albedo_steps: int = 1000
    normal_steps: int = 0
    hidden_levels: int = 8
    hidden_steps: int = 3000
    occupancy_every: int = 16
    optimizer: Literal["adam", "adamw", "adan"] = "adamw"
    rate: float = 1e-3
    weight_decay: float = 0.0
    ema_decay: float = 0.95
    ema_every: int = 100
    prior_scale: float = PUBLISHED_SCALE
    views: Views = field(default_factory=Views)
    photo: PhotoOptions = field(default_factory=PhotoOptions)
    losses: Weights = field(default_factory=Weights)
    network: FieldConfig = field(default_factory=FieldConfig)
    compat: Compat = field(default_factory=Compat)

    def __post_init__(self) -> None:
        whose = "realfusion's"
        require_ranges(self, whose, steps=(1, 10_000_000), albedo_steps=(0, 10_000_000), hidden_levels=(0, 32))
        require_ranges(self, whose, hidden_steps=(0, 10_000_000), occupancy_every=(1, 100_000), rate=(1e-8, 10.0))
        require_ranges(self, whose, normal_steps=(0, 10_000_000))
        require_ranges(self, whose, weight_decay=(0.0, 10.0), ema_decay=(0.0, 0.999999), ema_every=(1, 1_000_000))
        require_ranges(self, whose, prior_scale=(0.0, 1e6))
        if self.hidden_levels >= self.network.levels:
            raise InputError(
                f"{whose} hidden_levels is {self.hidden_levels} of {self.network.levels} levels; leave one to be seen."
            )
        for name, radius in (("radius", self.views.radius), ("radius_range", self.views.radius_range[0])):
            if radius < self.network.bound:
                raise InputError(
                    f"{whose} views.{name} is {radius:g}, within the box of half side {self.network.bound:g} "
                    "(network.bound); give a greater distance."
                )
        if self.optimizer not in ("adam", "adamw", "adan"):
            raise InputError(f"realfusion's optimizer is {self.optimizer!r}; choose adam, adamw or adan.")


PUBLISHED = FitOptions(photo=PhotoOptions(background="learned"), network=PUBLISHED_FIELD, compat=Compat.published())
"""The published defaults, with their faults."""
