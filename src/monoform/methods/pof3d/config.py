"""PoF3D's networks, cameras and rays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from ...errors import InputError
from ...ranges import require_ranges

Superresolution = Literal["none", "2X", "4X", "8X", "8XDC"]
NoiseMode = Literal["const", "none", "random"]
Learned = Literal["nothing", "radius", "fov"]
Range = tuple[float, float]
FOV = 18.837
"""Degrees that EG3D's cameras of faces see."""
POLE = 1e-5
"""How near to a pole an elevation parameter may come, radians."""


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"PoF3D's {name} is {value!r}; choose one of {', '.join(choices)}.")


@dataclass(frozen=True)
class Background:
    """What lies beyond the box: a field of directions and inverse distances (option --bg_modeling).

    Attributes:
        width: of its layers.
        blocks: layers of features, the last one's output included.
        samples: along a ray, even in inverse distance from `start` to infinity.
        start: inverse distance from the origin at which it begins, in 1 / radius of the cameras.
        frequencies: octaves of the positional encoding.
    """

    width: int = 64
    blocks: int = 4
    samples: int = 4
    start: float = 0.5
    frequencies: int = 10

    def __post_init__(self) -> None:
        require_ranges(
            self, "PoF3D's background", width=(1, 1024), blocks=(2, 32), samples=(1, 256), frequencies=(1, 16)
        )
        require_ranges(self, "PoF3D's background", start=(1e-3, 1.0))


@dataclass(frozen=True)
class Network:
    """The generator's networks (section 3.2; EG3D, sections 4.1 to 4.3).

    Attributes:
        z_dim: length of the latent.
        w_dim: length of the style.
        mapping_layers: from latent to style.
        mapping_rate: of learning of these layers, as a share of that of the others.
        channel_base: channels of the planes' blocks are channel_base / their resolution,
        channel_max: and no more than this.
        plane_resolution: of the planes in pixels, a power of two.
        plane_features: channels of each plane.
        noise: whether the planes' layers add noise.
        half_resolutions: how many of the planes' highest resolutions a GPU computes in half precision.
        clamp: of what the planes' layers give; none for none.
        decoder_width: of the hidden layer from the planes' features to density and color.
        decoder_rate: of learning of the decoder, as a share of that of the others.
        superresolution: from the raw image to the image: none, 2X, 4X, 8X, or 8XDC with twice the channels.
        superresolution_share: of its channels, 1 for the published ones (128 and 64, of 8XDC twice as many).
        superresolution_noise: what its layers add: none, const, or random where the planes' noise is drawn, too.
        superresolution_half: whether a GPU computes it in half precision; its layers are clamped at 256 then.
        superresolution_stop: whether it sends no gradient to the style.
        background: a field beyond the box; none for none.
    """

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    mapping_rate: float = 0.01
    channel_base: int = 32768
    channel_max: int = 512
    plane_resolution: int = 256
    plane_features: int = 32
    noise: bool = True
    half_resolutions: int = 0
    clamp: float | None = None
    decoder_width: int = 64
    decoder_rate: float = 1.0
    superresolution: Superresolution = "4X"
    superresolution_share: float = 1.0
    superresolution_noise: NoiseMode = "none"
    superresolution_half: bool = True
    superresolution_stop: bool = False
    background: Background | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", z_dim=(1, 8192), w_dim=(1, 8192), mapping_layers=(1, 64))
        require_ranges(self, "PoF3D's", mapping_rate=(1e-6, 1e3), decoder_rate=(1e-6, 1e3), clamp=(1e-3, 1e9))
        require_ranges(self, "PoF3D's", channel_base=(1, 2**20), channel_max=(1, 4096), half_resolutions=(0, 16))
        require_ranges(self, "PoF3D's", plane_resolution=(4, 2048), plane_features=(3, 256), decoder_width=(1, 1024))
        require_ranges(self, "PoF3D's", superresolution_share=(0.01, 16.0))
        if self.plane_resolution & (self.plane_resolution - 1) or self.channel_base < self.plane_resolution:
            raise InputError(
                f"PoF3D's planes have {self.plane_resolution} pixels a side and channel_base {self.channel_base}: "
                "give a power of two, and a base of at least that."
            )
        _require_choice("superresolution", self.superresolution, get_args(Superresolution))
        _require_choice("superresolution_noise", self.superresolution_noise, get_args(NoiseMode))


@dataclass(frozen=True)
class PoseHead:
    """How a pose is told by the style (section 3.1).

    Attributes:
        learned: a third number besides yaw and elevation: nothing, the radius or the field of view.
        linear: one layer instead of two.
        rate: of learning of these layers, as a share of that of the others.
        yaw: told as a plain number, or as a direction on the circle, where a whole turn is no distance.
        elevation: free, where a pose may lie beyond the poles, or bounded by them in a smooth way.
        elevation_mean: elevation parameter that a network begins around, radians; pi / 2 is the equator.
        elevation_reach: how far a bounded one may lie from the mean, radians; none for the way to the nearer pole.
        uniform: drawn instead of learned: yaw over the circle, elevation within pi / 8 of the equator.
        detached: whether the pose sends no gradient to the style.
        yaw_mean: yaw that a network begins around, radians.
        third_mean: what the third number begins around, world units or degrees; none for that of the rig.
        clamp_yaw: least and largest yaw, radians; none for none.
        clamp_elevation: of the elevation parameter, radians; none for none.
    """

    learned: Learned = "nothing"
    linear: bool = False
    rate: float = 0.01
    yaw: Literal["circle", "number"] = "circle"
    elevation: Literal["bounded", "free"] = "bounded"
    elevation_mean: float = math.pi / 2
    elevation_reach: float | None = None
    uniform: bool = False
    detached: bool = False
    yaw_mean: float = math.pi / 2
    third_mean: float | None = None
    clamp_yaw: Range | None = None
    clamp_elevation: Range | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", rate=(1e-6, 1e3), yaw_mean=(-100.0, 100.0), third_mean=(1e-3, 1e3))
        require_ranges(self, "PoF3D's", clamp_yaw=(-100.0, 100.0), clamp_elevation=(0.0, math.pi))
        require_ranges(self, "PoF3D's", elevation_mean=(POLE, math.pi - POLE), elevation_reach=(POLE, math.pi / 2))
        if self.reach > self.way:
            raise InputError(
                f"PoF3D's elevation_reach is {self.elevation_reach:g}, beyond a pole from the mean "
                f"{self.elevation_mean:g}: give {self.way:.6g} at most."
            )
        for name, choices in (("learned", get_args(Learned)), ("yaw", ("circle", "number"))):
            _require_choice(name, getattr(self, name), choices)
        _require_choice("elevation", self.elevation, ("bounded", "free"))
        for name in ("clamp_yaw", "clamp_elevation"):
            found = getattr(self, name)
            if found is not None and not (len(found) == 2 and found[0] <= found[1]):
                raise InputError(f"PoF3D's {name} is {found}; give the least and the largest angle.")

    @property
    def way(self) -> float:
        """Radians of the elevation parameter from the mean to the nearer pole."""
        return min(self.elevation_mean, math.pi - self.elevation_mean)

    @property
    def reach(self) -> float:
        """How far a bounded elevation parameter may lie from the mean, radians."""
        return self.way if self.elevation_reach is None else self.elevation_reach

    @property
    def size(self) -> int:
        """How many numbers a pose has: yaw, elevation parameter, and radius or field of view in degrees."""
        return 2 if self.learned == "nothing" else 3


@dataclass(frozen=True)
class Rig:
    """The cameras of a data set: what is known of them before anything is learned.

    Attributes:
        pivot: what all cameras look at, in world units.
        radius: distance of the cameras from the origin, in world units.
        focal: of images whose side is 1.
        fill: share of the image's side that an object's longer side takes.
    """

    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 2.7
    focal: float = 4.2634
    fill: float = 0.8

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", pivot=(-1e3, 1e3), radius=(1e-3, 1e3), focal=(0.05, 1e3), fill=(0.1, 1.0))


@dataclass(frozen=True)
class Rays:
    """How rays are sampled and composited (EG3D, section 4.3).

    Attributes:
        near: where rays begin, in world units; none: at the box.
        far: where rays end; none: at the box.
        box: side of the cube around the origin that the planes span, in world units.
        coarse: stratified samples of a ray.
        fine: further samples, drawn by the weights of the coarse ones.
        disparity: whether coarse samples are even in 1 / distance.
        white: whether the background is white; else black.
        raw_resolution: of the rendered image in pixels.
        surface: raw density at which meshes have their surface.
    """

    near: float | None = 2.25
    far: float | None = 3.3
    box: float = 1.0
    coarse: int = 48
    fine: int = 48
    disparity: bool = False
    white: bool = False
    raw_resolution: int = 64
    surface: float = 10.0

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", near=(0.0, 1e3), far=(1e-6, 1e3), box=(1e-3, 1e3), coarse=(4, 1024))
        require_ranges(self, "PoF3D's", fine=(0, 1024), raw_resolution=(1, 1024), surface=(1e-6, 1e6))
        if (self.near is None) != (self.far is None):
            raise InputError(f"PoF3D's rays go from {self.near} to {self.far}: give both, or none of them.")
        if self.near is not None and self.far is not None and not self.near < self.far:
            raise InputError(f"PoF3D's rays go from {self.near} to {self.far}; near must be below far.")
        if self.disparity and self.near == 0:
            raise InputError("PoF3D's rays begin at 0 and are even in 1 / distance: give a near above 0.")


@dataclass(frozen=True)
class Compat:
    """Behaviours of the original that published networks are used with; set by `published`, off for new trainings.

    Attributes:
        repeated_axes: the third plane sees x and z as the second does, so that y is seen by one plane alone.
        linear_means: a linear pose head adds pi / 2 to the yaw whatever the mean is.
        overwritten_raw: where the raw image has the size that super-resolution begins at, what its first block adds is
            in the raw image, too.
        batch_depth: depths are held within those of the whole batch; else within those of their own ray.
        late_misses: where rays begin and end at the box, one that misses it is sampled from the least near to the
            largest near of those that hit it, and the box may lie behind a camera; else neither is seen.
        unused_fov: a learned field of view changes nothing in the image.
        random_rendering: samples are jittered when images are made, too, so that no two are the same.
    """

    repeated_axes: bool = False
    linear_means: bool = False
    overwritten_raw: bool = False
    batch_depth: bool = False
    late_misses: bool = False
    unused_fov: bool = False
    random_rendering: bool = False


@dataclass(frozen=True)
class Pof3dConfig:
    """A generator, how it renders, what is known of its cameras, and whose behaviour it keeps.

    Attributes:
        resolution: of the images in pixels.
        network: sizes of the networks.
        pose: how poses are told.
        rig: the cameras.
        rays: how they are sampled.
        compat: behaviours of the original.
    """

    resolution: int = 256
    network: Network = field(default_factory=Network)
    pose: PoseHead = field(default_factory=PoseHead)
    rig: Rig = field(default_factory=Rig)
    rays: Rays = field(default_factory=Rays)
    compat: Compat = field(default_factory=Compat)

    def __post_init__(self) -> None:
        require_ranges(self, "PoF3D's", resolution=(4, 4096))
        if self.network.superresolution == "none" and self.resolution < self.rays.raw_resolution:
            raise InputError(
                f"PoF3D renders {self.rays.raw_resolution} pixels a side for images of {self.resolution} without "
                "super-resolution: give the same number."
            )


def focal_of(fov: float, *, truncated: bool = False) -> float:
    """Focal length of images whose side is 1, of a field of view in degrees from corner to corner.

    Args:
        truncated: with 3.14159 and 1.414 for pi and the square root of 2, as the published code has them.
    """
    pi, root = (3.14159, 1.414) if truncated else (math.pi, math.sqrt(2))
    return 1 / (math.tan(fov * pi / 360) * root)


def fov_of(focal: float) -> float:
    """The field of view in degrees from corner to corner: the inverse of `focal_of`."""
    return math.degrees(2 * math.atan(1 / (focal * math.sqrt(2))))
