"""pixelNeRF's options: the published networks, samplings and data sets by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ...errors import InputError
from ...nn.resnet import Backbone
from ...ranges import require_ranges
from ...renamed import renamed
from ...render import RaySampling

Looking = Literal["camera", "average"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Perceptron:
    """A multilayer perceptron of residual blocks (Yu et al. 2021, figure 3 and supplement B.1).

    Attributes:
        width: of its layers.
        blocks: of two layers each.
        pooled_block: views are pooled before this block; features enter in those before it.
        pooling: how views are pooled.
        beta: of softplus as activation; 0 for ReLU.
        spade: whether features also scale what they are added to.
    """

    width: int = 512
    blocks: int = 5
    pooled_block: int = 3
    pooling: Literal["average", "max"] = "average"
    beta: float = 0.0
    spade: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "pixelNeRF's", width=(1, 4096), blocks=(1, 64), beta=(0.0, 1e4), pooled_block=(0, 1000))


@renamed(centred="centered")
@dataclass(frozen=True)
class Network(Perceptron):
    """The network (Yu et al. 2021, section 4 and supplement B.1); what it inherits is its coarse perceptron.

    Attributes:
        backbone: of the image encoder.
        maps: how many of its maps make the features, 1 to 5: stem, then layers.
        first_pool: whether the stem's map is halved before the first layer; off for images of 64 pixels.
        feature_scale: by what images are resized before they are encoded.
        upsampling: how maps are brought to the size of the first.
        lookup: how features between two pixels of a map are found.
        padding: what is found beyond the border of a map.
        frequencies: of the positional encoding.
        factor: lowest frequency of the positional encoding in radians per unit.
        use_xyz: whether the network sees positions, or only their depth.
        encode_positions: whether what it sees of them is encoded.
        keep_positions: whether the positions themselves stand before their encoding.
        use_directions: whether it sees view directions.
        encode_directions: whether view directions are encoded with positions.
        centered: positions are turned into a source camera's axes but stay centred on the world's origin.
        global_features: length of a vector that describes the whole image; 0 for none.
        global_backbone: of the encoder of that vector.
        use_features: whether it sees what the encoder finds at the points' pixels.
        encoder_features: length of one vector that the encoder makes of the whole image, in place of maps; 0 for maps.
        fine: the fine perceptron; None for one of the coarse one's shape.
        share_perceptron: whether the coarse perceptron makes the fine picture, too, and there is no other.
        stop_encoder_gradient: whether the encoder stays as it is in training.
        keep_unused_layers: whether the layers of the encoder that make none of the maps are kept, never run.
    """

    backbone: Backbone = "resnet34"
    maps: int = 4
    first_pool: bool = True
    feature_scale: float = 1.0
    upsampling: Literal["bilinear", "bicubic"] = "bilinear"
    lookup: Literal["bilinear", "nearest", "bicubic"] = "bilinear"
    padding: Literal["border", "zeros", "reflection"] = "border"
    frequencies: int = 6
    factor: float = 1.5
    use_xyz: bool = True
    encode_positions: bool = True
    keep_positions: bool = True
    use_directions: bool = True
    encode_directions: bool = False
    centered: bool = True
    global_features: int = 0
    global_backbone: Backbone = "resnet34"
    use_features: bool = True
    encoder_features: int = 0
    fine: Perceptron | None = None
    share_perceptron: bool = False
    stop_encoder_gradient: bool = False
    keep_unused_layers: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(
            self, "pixelNeRF's", maps=(1, 5), feature_scale=(0.05, 8.0), frequencies=(1, 32), factor=(1e-3, 1e3)
        )
        require_ranges(self, "pixelNeRF's", global_features=(0, 4096), encoder_features=(0, 4096))
        if self.fine is not None and self.share_perceptron:
            raise InputError("pixelNeRF's fine perceptron is the coarse one, or has a shape of its own, not both.")
        if not (self.use_features or self.use_xyz):
            raise InputError("pixelNeRF's network sees neither features nor positions: it needs one of them.")


@dataclass(frozen=True)
class Sampling:
    """How rays are sampled and composited (section 4.3 and supplement B.1).

    Attributes:
        coarse: stratified samples of a ray.
        fine: further samples of a ray.
        depth: of the fine samples, those around the coarse depth.
        depth_std: spread of the samples around the depth, in world units.
        noise: standard deviation of noise on the density, in training only.
        linear_disparity: whether coarse samples are even in 1 / distance.
        white: whether the background is white; else black.
    """

    coarse: int = 64
    fine: int = 32
    depth: int = 16
    depth_std: float = 0.01
    noise: float = 0.0
    linear_disparity: bool = False
    white: bool = True

    def __post_init__(self) -> None:
        require_ranges(self, "pixelNeRF's", coarse=(1, 4096), fine=(0, 4096), depth_std=(0.0, 1e6), noise=(0.0, 1e6))
        if not 0 <= self.depth <= self.fine:
            raise InputError(f"pixelNeRF's depth is {self.depth}; it must lie in 0..{self.fine}, the fine samples.")

    @property
    def rays(self) -> RaySampling:
        """The same as the pipeline takes it."""
        return RaySampling(
            coarse=self.coarse,
            fine=self.fine,
            around_depth=self.depth,
            depth_std=self.depth_std,
            spread="disparity" if self.linear_disparity else "linear",
            intervals="next",
            metric=False,
            importance="bins",
            background=(float(self.white),) * 3,
        )


@dataclass(frozen=True)
class Domain:
    """What a network was trained on.

    Attributes:
        near: where unit rays begin, in world units.
        far: where unit rays end, in world units.
        distance: of the cameras from the origin.
        focal: of images whose side is 1.
        height: of the images in pixels.
        width: of the images in pixels.
        world_radius: of a sphere around the origin that holds the objects, in world units.
    """

    near: float = 0.8
    far: float = 1.8
    distance: float = 1.3
    focal: float = 131.25 / 128
    height: int = 128
    width: int = 128
    world_radius: float = 0.5

    def __post_init__(self) -> None:
        require_ranges(self, "pixelNeRF's", near=(0.0, 1e6), far=(0.0, 1e6), distance=(1e-6, 1e6), focal=(1e-3, 1e6))
        require_ranges(self, "pixelNeRF's", height=(16, 4096), width=(16, 4096), world_radius=(1e-6, 1e6))
        if not self.near < self.far:
            raise InputError(f"pixelNeRF's rays go from {self.near} to {self.far}; near must be below far.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images in pixels."""
        return self.height, self.width


@renamed(shifted_centre="shifted_center")
@dataclass(frozen=True)
class Compat:
    """Behaviours of the original that published networks are used with; set by `published`, off for new trainings.

    Attributes:
        shifted_center: an unknown principal point lies half a pixel right of and below the middle of the image.
        random_rendering: rendering draws its samples at random, so that two renderings differ by about 0.01.
        depth_gradient: the fine loss moves the coarse network through the samples around its depth.
        truncate: files hold 255 x rounded down, and metrics are taken of these.
        first_step_in_evaluation: the first training step normalises by running statistics, as in evaluation.
    """

    shifted_center: bool = False
    random_rendering: bool = False
    depth_gradient: bool = False
    truncate: bool = False
    first_step_in_evaluation: bool = False


@dataclass(frozen=True)
class PixelNerfConfig:
    """A network, how it renders, what it was trained on, and whose behaviour it keeps.

    Attributes:
        network: sizes of the network.
        sampling: of rays.
        domain: what it was trained on.
        compat: behaviours of the original.
    """

    network: Network = field(default_factory=Network)
    sampling: Sampling = field(default_factory=Sampling)
    domain: Domain = field(default_factory=Domain)
    compat: Compat = field(default_factory=Compat)


_SMALL = Network(first_pool=False)
_SHAPENET = Domain(1.2, 4.0, 2.732, 1.866, 64, 64)
PRESETS: dict[str, PixelNerfConfig] = {
    "sn64": PixelNerfConfig(network=_SMALL, domain=_SHAPENET),
    "sn64_unseen": PixelNerfConfig(network=_SMALL, domain=_SHAPENET),
    "srn_car": PixelNerfConfig(),
    "srn_chair": PixelNerfConfig(domain=Domain(1.25, 2.75, 2.0, world_radius=0.75)),
    "dtu": PixelNerfConfig(sampling=Sampling(white=False), domain=Domain(0.1, 5.0, 2.0, 1.0, 300, 400, 1.0)),
    "multi_obj": PixelNerfConfig(domain=Domain(4.0, 9.0, 6.0, 1.0, 128, 128, 2.0)),
    "small": PixelNerfConfig(
        network=Network(backbone="resnet18", maps=3, width=96),
        sampling=Sampling(coarse=24, fine=16, depth=8),
        domain=Domain(height=64, width=64),
    ),
}
"""The published configurations, and `small`, which a CPU trains in an hour on pictures in the layout of srn_car; the
focal length of a data set that tells its own is a guess."""


def preset(name: str) -> PixelNerfConfig:
    """A configuration by name, as new trainings take it.

    Raises:
        InputError: there is none of this name.
    """
    if name not in PRESETS:
        raise InputError(f"pixelNeRF has no configuration {name!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def for_evaluation(config: PixelNerfConfig) -> PixelNerfConfig:
    """The configuration with at least 64 coarse samples, as the published evaluation asks for."""
    return replace(config, sampling=replace(config.sampling, coarse=max(64, config.sampling.coarse)))


@dataclass(frozen=True)
class PixelNerfOptions:
    """How a network is used.

    Attributes:
        weights: folder or hub id of the network, for instance one that `monoform convert` has made; cars, or empty: the
            small weights for cars, and for objects of all kinds, that ship with monoform.
        margin: side of the square that the network sees of a single photo, in longest sides of the object.
        elevation: of a single photo's camera above the object in degrees; turns the result upright.
        carve: whether what lies outside the photos' masks is cut away.
        looking: camera, where geometry is that seen from the first photo, or average, over all directions.
        level: density per world unit at which the surface lies; 0: 10, or less where the network spreads the object
            along the rays because it does not know its depth.
        precision: float32, or bfloat16: faster, and coarser.
    """

    weights: str = ""
    margin: float = 1.3
    elevation: float = 0.0
    carve: bool = True
    looking: Looking = "camera"
    level: float = 0.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        require_ranges(self, "pixelnerf's", margin=(1.0, 4.0), elevation=(-89, 89), level=(0, 1000))
        choices = {"looking": get_args(Looking), "precision": get_args(Precision)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"pixelnerf's {name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}.")
