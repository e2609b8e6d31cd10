"""Both networks of PoF3D together: what a training makes and what weights hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from .config import Pof3dConfig
from .discriminator import DiscriminatorConfig, Pof3dDiscriminator
from .model import Pof3dGenerator


@dataclass(frozen=True)
class NetworksConfig:
    """Generator and discriminator.

    Attributes:
        generator: of images with poses.
        discriminator: tells the pose of an image, by which one's own photo is placed; none in weights without it.
    """

    generator: Pof3dConfig = field(default_factory=Pof3dConfig)
    discriminator: DiscriminatorConfig | None = field(default_factory=DiscriminatorConfig)


class Pof3dNetworks(nn.Module):
    """Generator and discriminator, under these names in files of weights."""

    def __init__(self, config: NetworksConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = Pof3dGenerator(config.generator)
        self.discriminator = None if config.discriminator is None else Pof3dDiscriminator(config.discriminator)
