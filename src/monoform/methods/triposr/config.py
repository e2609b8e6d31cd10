"""TripoSR's options: sizes of the network, how its field is seen, how it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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
