"""TripoSR's options: sizes of the network, how its field is seen, how it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args, get_origin, get_type_hints

from ...errors import InputError
from ...nn.transformer import TransformerConfig
from ...nn.vit import VitConfig
from ...ranges import require_ranges

Reduction = Literal["concat", "mean"]
DensityActivation = Literal["exp", "trunc_exp", "softplus", "sigmoid", "tanh", "relu", "none"]
DecoderActivation = Literal["silu", "relu"]
UPSAMPLED = 2  # pixels of a plane for each token along a side


@dataclass(frozen=True)
class Decoder:
    """The perceptron that makes density and color of the planes' features.

    Attributes:
        width: of its hidden layers.
        layers: hidden ones, the first counted.
        activation: of them.
        bias: whether its layers have biases.
    """

    width: int = 64
    layers: int = 9
    activation: DecoderActivation = "silu"
    bias: bool = True

    def __post_init__(self) -> None:
        require_ranges(self, "TripoSR's decoder's", width=(1, 4096), layers=(1, 64))


@dataclass(frozen=True)
class Rendering:
    """How the planes are asked, and how rays see the field.

    Attributes:
        radius: half the side of the cube, in world units of the network.
        reduction: whether the features of the three planes stand beside each other or are averaged.
        density_activation: of the density; trunc_exp is exp whose gradient does not explode.
        density_bias: added before it.
        samples: of a ray.
        metric: whether densities are per unit; else, as published, per way of a ray through the cube, however long.
    """

    radius: float = 0.87
    reduction: Reduction = "concat"
    density_activation: DensityActivation = "exp"
    density_bias: float = -1.0
    samples: int = 128
    metric: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "TripoSR's", radius=(1e-3, 1e3), density_bias=(-1e3, 1e3), samples=(1, 4096))


@dataclass(frozen=True)
class TripoSrConfig:
    """A network; the defaults are the published one.

    Attributes:
        image: the network that sees the photo.
        image_size: side of the picture that it is given, in pixels.
        plane_size: tokens along a plane's side; a plane has twice as many pixels.
        transformer: from the planes' tokens, which see the photo's, to the planes.
        features: of a plane's pixels.
        decoder: of the features at a point.
        rendering: of the field.
    """

    image: VitConfig = field(default_factory=VitConfig)
    image_size: int = 512
    plane_size: int = 32
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    features: int = 40
    decoder: Decoder = field(default_factory=Decoder)
    rendering: Rendering = field(default_factory=Rendering)

    def __post_init__(self) -> None:
        require_ranges(self, "TripoSR's", image_size=(16, 4096), plane_size=(1, 512), features=(1, 1024))
        if self.image_size % self.image.patch:
            raise InputError(
                f"TripoSR's image_size is {self.image_size}, no multiple of its patches of {self.image.patch} pixels."
            )
        if self.image.width != self.transformer.context:
            raise InputError(
                f"TripoSR's transformer looks at tokens of {self.transformer.context} channels, the photo's have "
                f"{self.image.width}."
            )

    @property
    def decoded(self) -> int:
        """Features of a point."""
        return self.features * (3 if self.rendering.reduction == "concat" else 1)


@dataclass(frozen=True)
class TripoSrOptions:
    """How the network is used.

    Attributes:
        weights: folder that `monoform convert` or `monoform train` wrote, or that holds the authors' model.ckpt and
            config.yaml; or stabilityai/TripoSR or hub:OWNER/NAME, which are fetched once.
        threshold: of the density, at which the surface lies.
        foreground: the object's longer side in sides of the picture that the network takes.
        facing: axis of the result's world, whose y is up, to which the side that the photo shows is turned.
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        refine: steps in which the planes are fitted to the photo itself; 0 for none.
        smooth: whether the surface between nodes of the grid is found by the density's logarithm, without terraces.
        parts: solids that are kept, the largest first; 0: as many as the mask has.
        paint: texture: an atlas, from the photo where it sees the surface and from the field elsewhere; field: an atlas
            from the field alone; vertices: a color of the field for each vertex.
        renders: pictures that are taken around the object, as the authors' program does, 30 there; 0 for none.
        chunk: points that the field is asked at a time; 0 for all.
        precision: of the transformer: float32, or bfloat16, which is quicker where there are units for it.
    """

    weights: str = "stabilityai/TripoSR"
    threshold: float = 25.0
    foreground: float = 0.85
    facing: Literal["+z", "+x", "-z", "-x"] = "+z"
    fov: float = 40.0
    refine: int = 0
    smooth: bool = True
    parts: int = 0
    paint: Literal["texture", "field", "vertices"] = "texture"
    renders: int = 0
    chunk: int = 8192
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        require_ranges(self, "triposr's", threshold=(1e-6, 1e6), foreground=(0.1, 1.0), fov=(1, 120))
        require_ranges(self, "triposr's", refine=(0, 100_000), parts=(0, 1000), renders=(0, 10_000))
        require_ranges(self, "triposr's", chunk=(0, 1 << 24))
        for name, hint in get_type_hints(TripoSrOptions).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise InputError(f"triposr's {name} is {value!r}; choose one of {', '.join(get_args(hint))}.")
