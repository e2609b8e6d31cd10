"""Pixel-aligned features of images (Yu et al. 2021, section 4.1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...nn.resnet import CHANNELS, Backbone, ResNet
from .config import Network


class SpatialEncoder(nn.Module):
    """Images to maps of features at half their resolution: the maps of a ResNet, brought to one size."""

    def __init__(self, config: Network) -> None:
        super().__init__()
        layers = 4 if config.keep_unused_layers else config.maps - 1
        self.model = ResNet(config.backbone, layers=layers)
        self.config = config
        self.channels = sum(CHANNELS[: config.maps])

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c i j"]:
        """Features of images in -1..1."""
        scale = self.config.feature_scale
        if scale < 1:
            images = functional.interpolate(images, scale_factor=scale, mode="area")
        elif scale > 1:
            images = functional.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=True)
        maps = self.model.maps(images, count=self.config.maps, pool=self.config.first_pool)
        size = maps[0].shape[2:]
        mode = self.config.upsampling
        resized = [functional.interpolate(one, size, mode=mode, align_corners=True) for one in maps]
        return torch.cat(resized, dim=1)


class GlobalEncoder(nn.Module):
    """Images to one vector each.

    Args:
        features: length of the vector.
    """

    def __init__(self, backbone: Backbone, features: int) -> None:
        super().__init__()
        self.model = ResNet(backbone)
        self.channels = features
        self.fc = nn.Identity() if features == 512 else nn.Linear(512, features)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n g"]:
        """A vector for each image in -1..1."""
        return self.fc(self.model(images))


def latent_scaling(height: int, width: int) -> Float[Tensor, " 2"]:
    """Factors from pixels (x, y), as a share of the image, to coordinates 0..2 on a map of this size."""
    size = torch.tensor([width, height], dtype=torch.float32)
    return 2 * size / (size - 1)


def look_up(
    latent: Float[Tensor, "n c i j"], pixels: Float[Tensor, "n p 2"], width: int, height: int, config: Network
) -> Float[Tensor, "n p c"]:
    """Features at pixels (x, y) of images of width x height; pixel centres are whole numbers.

    Pixel x lies at x / width of the map's width and is looked up there with corners aligned: beyond the last pixel of
    the map is its border.
    """
    scaling = latent_scaling(latent.shape[2], latent.shape[3]).to(latent)
    grid = pixels * (scaling / scaling.new_tensor([width, height])) - 1
    mode, padding = config.lookup, config.padding
    found = functional.grid_sample(latent, grid[:, :, None], mode=mode, padding_mode=padding, align_corners=True)
    return found[..., 0].mT
