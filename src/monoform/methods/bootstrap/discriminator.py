"""The discriminator: it judges images under their cameras, and under classes where there are some (section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import InputError
from ...nn.stylegan2 import MappingNetwork
from ...nn.stylegan2.discriminator import Epilogue, ResidualTrunk, projected
from ...ranges import require_ranges
from .config import BootstrapConfig
from .mapping import require_classes

NUMBERS = 13
"""Of a camera, see `condition_vectors`."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes and options of the discriminator.

    Attributes:
        resolution: of the images in pixels, a power of two.
        alpha: whether it sees the opacity beside the colors.
        conditional_pose: whether it is told the camera.
        classes: that it is told; 0 for none.
        channel_base: channels of a block are channel_base / its resolution,
        channel_max: and no more than this.
        mapping_layers: of the camera as a condition.
        group: images of a minibatch deviation at the most: the largest number up to it that divides the batch.
    """

    resolution: int = 128
    alpha: bool = True
    conditional_pose: bool = True
    classes: int = 0
    channel_base: int = 32768
    channel_max: int = 512
    mapping_layers: int = 2
    group: int = 4

    def __post_init__(self) -> None:
        whose = "bootstrap's discriminator's"
        require_ranges(self, whose, resolution=(8, 4096), classes=(0, 2**20), channel_base=(1, 2**20))
        require_ranges(self, whose, channel_max=(1, 4096), mapping_layers=(1, 64), group=(1, 256))
        if self.channel_base < self.resolution:
            raise InputError(
                f"{whose} channel_base is {self.channel_base}; it must be at least the resolution, {self.resolution}."
            )

    @property
    def channels(self) -> int:
        """Of the images."""
        return 4 if self.alpha else 3


def discriminator_of(config: BootstrapConfig) -> DiscriminatorConfig:
    """The discriminator that trains a generator."""
    network, training = config.network, config.training
    return DiscriminatorConfig(
        config.resolution,
        training.alpha,
        training.conditional_pose,
        network.classes,
        network.channel_base,
        network.channel_max,
        network.mapping_layers,
    )


class Backbone(ResidualTrunk):
    """The trunk and its end; with a condition, the score is its product with what the condition is mapped to."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(
            config.resolution,
            config.channels,
            channel_base=config.channel_base,
            channel_max=config.channel_max,
        )
        conditions = (NUMBERS if config.conditional_pose else 0) + (self.channels if config.classes else 0)
        self.mapping = None
        if conditions:
            self.mapping = MappingNetwork(
                0, self.channels, layers=config.mapping_layers, c_dim=conditions, embedded=False, average_decay=None
            )
        self.b4 = Epilogue(self.channels, self.channels if conditions else 1, group=config.group, divisor=True)

    def forward(
        self, images: Float[Tensor, "n c h w"], condition: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Scores of images, under a condition where there is one."""
        score = self.b4.score(self.b4.flat(self.features(images)))
        return score if self.mapping is None else projected(score, self.mapping(c=condition))


class BootstrapDiscriminator(nn.Module):
    """Images, their cameras and classes to scores; tensors are named as in the published state dicts."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.label_embedding = nn.Embedding(config.classes, self.backbone.channels) if config.classes else None

    def forward(
        self,
        images: Float[Tensor, "n c h w"],
        cameras: Float[Tensor, "n 13"] | None = None,
        classes: Int[Tensor, " k"] | None = None,
    ) -> Float[Tensor, "n 1"]:
        """Above 0 for real images.

        Args:
            images: -1..1, with the opacity 0..1 as a fourth channel where it is seen.
            cameras: see `condition_vectors`; not looked at by a discriminator that is not told them.
            classes: of the objects, one for each, where there are some.

        Raises:
            InputError: a condition is missing, or classes do not fit.
        """
        require_classes(classes, len(images), self.config.classes)
        conditions = []
        if self.label_embedding is not None:
            conditions.append(self.label_embedding(classes))
        if self.config.conditional_pose:
            if cameras is None:
                raise InputError("This discriminator judges images under their cameras: give these.")
            conditions.append(cameras)
        found: Tensor = self.backbone(images, torch.cat(conditions, dim=1) if conditions else None)
        return found
