"""The five networks of the inverse renderer, with the published names of tensors (Wu et al. 2020, appendix)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 64
_GROUP = 4  # channels that are normalized together


def _halve(inputs: int, outputs: int, *, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias)


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)


def _keep(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False)


def _normalized(convolution: nn.Module, width: int, activation: nn.Module) -> list[nn.Module]:
    return [convolution, nn.GroupNorm(width // _GROUP, width), activation]


def _down(latent: int) -> list[nn.Module]:
    """64 x 64 pixels to one."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        layers += _normalized(_halve(inputs, width), width, nn.LeakyReLU(0.2))
        inputs = width
    layers += [_halve(inputs, 8 * WIDTH), nn.LeakyReLU(0.2)]
    return [*layers, nn.Conv2d(8 * WIDTH, latent, 4, bias=False), nn.ReLU()]


class MapNet(nn.Module):
    """An auto-encoder from a picture to a map of its size: depth or albedo.

    Args:
        outputs: channels of the map.
        bounded: whether it ends in a tanh.
        latent: channels at one pixel.
    """

    def __init__(self, outputs: int, *, bounded: bool, latent: int = 256) -> None:
        super().__init__()
        layers = [*_down(latent), nn.ConvTranspose2d(latent, 8 * WIDTH, 4, bias=False), nn.ReLU()]
        layers += [_keep(8 * WIDTH, 8 * WIDTH), nn.ReLU()]
        inputs = 8 * WIDTH
        for width in (4 * WIDTH, 2 * WIDTH, WIDTH):
            layers += _normalized(_double(inputs, width), width, nn.ReLU())
            layers += _normalized(_keep(width, width), width, nn.ReLU())
            inputs = width
        layers += [nn.Upsample(scale_factor=2), *_normalized(_keep(WIDTH, WIDTH), WIDTH, nn.ReLU())]
        layers += [*_normalized(_keep(WIDTH, WIDTH, 5), WIDTH, nn.ReLU()), _keep(WIDTH, outputs, 5)]
        self.network = nn.Sequential(*layers, *([nn.Tanh()] if bounded else []))

    def forward(self, images: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n c 64 64"]:
        """The map."""
        return self.network(images)


class ValueNet(nn.Module):
    """From a picture to a few numbers -1..1: its light or its view."""

    def __init__(self, outputs: int, widths: Sequence[int] = (32, 64, 128, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in widths:
            layers += [_halve(inputs, width), nn.ReLU()]
            inputs = width
        layers += [nn.Conv2d(inputs, inputs, 4, bias=False), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False)]
        self.network = nn.Sequential(*layers, nn.Tanh())

    def forward(self, images: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n c"]:
        """The numbers."""
        return self.network(images).flatten(1)


class ConfidenceNet(nn.Module):
    """From a picture to how far its pixels, and its features on a coarser map, are expected to be off.

    Of each map the first channel is of the object as it is, the second of its mirror image.
    """

    def __init__(self, latent: int = 128) -> None:
        super().__init__()
        layers = [*_down(latent), nn.ConvTranspose2d(latent, 8 * WIDTH, 4, bias=False), nn.ReLU()]
        layers += _normalized(_double(8 * WIDTH, 4 * WIDTH), 4 * WIDTH, nn.ReLU())
        layers += _normalized(_double(4 * WIDTH, 2 * WIDTH), 2 * WIDTH, nn.ReLU())
        self.network = nn.Sequential(*layers)
        fine = _normalized(_double(2 * WIDTH, WIDTH), WIDTH, nn.ReLU())
        fine += _normalized(_double(WIDTH, WIDTH), WIDTH, nn.ReLU())
        self.out_net1 = nn.Sequential(*fine, _keep(WIDTH, 2, 5), nn.Softplus())
        self.out_net2 = nn.Sequential(_keep(2 * WIDTH, 2), nn.Softplus())

    def forward(
        self, images: Float[Tensor, "n 3 64 64"]
    ) -> tuple[Float[Tensor, "n 2 64 64"], Float[Tensor, "n 2 16 16"]]:
        """Deviations of pixels and of features, above 0."""
        coarse = self.network(images)
        return self.out_net1(coarse), self.out_net2(coarse)
