"""PoF3D's networks, cameras and rays, and how they are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ...errors import InputError
from ...ranges import require_ranges
from .pose_config import FOV as FOV
from .pose_config import POLE as POLE
from .pose_config import Learned as Learned
from .pose_config import PoseHead as PoseHead
from .pose_config import Rig as Rig
from .pose_config import focal_of as focal_of
from .pose_config import fov_of as fov_of
from .pose_config import require_choice

Superresolution = Literal["none", "2X", "4X", "8X", "8XDC"]
NoiseMode = Literal["const", "none", "random"]
Crop = Literal["auto", "center", "pad", "object"]


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
        require_choice("superresolution", self.superresolution, get_args(Superresolution))
        require_choice("superresolution_noise", self.superresolution_noise, get_args(NoiseMode))


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
