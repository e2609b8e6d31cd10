"""The encoder of bootstrapped inversion (Pavllo et al. 2023): where each pixel is on the object, a mask, a latent."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...nn.segformer import SMALL, SMALLEST, Kept, Segformer, SegformerConfig

SLOPE = 0.2
"""Of the last activation: that of the mapping network, whose range the latent has."""


@dataclass(frozen=True)
class EncoderConfig:
    """What the encoder is made of; the defaults are the published ones.

    Attributes:
        backbone: sizes of the SegFormer.
        latent_dim: numbers of the latent.
        separate_backbones: whether the latent has a SegFormer of its own.
        pose: whether coordinates and mask are predicted.
        latent: whether the latent is.
    """

    backbone: SegformerConfig = field(default_factory=SegformerConfig)
    latent_dim: int = 512
    separate_backbones: bool = False
    pose: bool = True
    latent: bool = True


def small_encoder(latent_dim: int) -> EncoderConfig:
    """The configuration for a CPU."""
    return EncoderConfig(SMALL, latent_dim)


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the encoder tells of images; what it was built without is None.

    Attributes:
        coordinates: the world point that each pixel shows, in the object's frame; off the mask without meaning.
        mask: probability that a pixel shows the object.
        latent: in the generator's style space.
    """

    coordinates: Float[Tensor, "n h w 3"] | None
    mask: Float[Tensor, "n h w"] | None
    latent: Float[Tensor, "n 1 d"] | None


class BootstrapEncoder(nn.Module):
    """SegFormer with a branch of convolutions for coordinates and mask, and one for the latent."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        width = config.backbone.channels
        self.backbone = Segformer(config.backbone)
        if config.separate_backbones and config.latent:
            self.backbone_latent = Segformer(config.backbone)
        if config.pose:
            convolutions = (nn.Conv2d(width, outputs, 3, padding=1) for outputs in (width, width, 4))
            first, second, last = convolutions
            self.post = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
        if config.latent:
            self.w_regressor_pre = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
            hidden, last_linear = nn.Linear(width, width), nn.Linear(width, config.latent_dim)
            self.w_regressor_post = nn.Sequential(hidden, nn.ReLU(), last_linear, nn.LeakyReLU(SLOPE))

    def forward(self, images: Float[Tensor, "n 3 h w"], kept: Kept | None = None) -> Encoded:
        """Encode images.

        Args:
            images: -1..1, the object on the generator's background; not normalized as ImageNet's are.
            kept: which samples keep a branch of the SegFormers in training; drawn where it is not given.

        Images of fewer than 32 pixels a side are enlarged to what a SegFormer can see; maps have their own size.
        """
        size = images.shape[2:]
        if min(size) < SMALLEST:
            enlarged = [max(side, SMALLEST) for side in size]
            images = functional.interpolate(images, enlarged, mode="bilinear", align_corners=False)
        features = self.backbone(images, kept)
        coordinates = mask = latent = None
        if self.config.pose:
            large = functional.interpolate(features, size, mode="bilinear", align_corners=False)
            maps = self.post(torch.relu(large))
            coordinates, mask = maps[:, :3].permute(0, 2, 3, 1), torch.sigmoid(maps[:, 3])
        if self.config.latent:
            seen = self.backbone_latent(images, kept) if self.config.separate_backbones else features
            latent = self.w_regressor_post(self.w_regressor_pre(torch.relu(seen)).mean(dim=(2, 3)))[:, None]
        return Encoded(coordinates, mask, latent)
