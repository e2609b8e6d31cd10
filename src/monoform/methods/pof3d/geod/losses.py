"""What the inverse renderer makes small on real pictures, and what it asks of the generator (Shi et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ....nn.vgg import DEVIATION, MEAN, Vgg16
from .model import Canonical, Reconstructed

TINY = 1e-7
MIRROR_WEIGHT = 0.5
STAGE = 3  # relu3_3
Features = Callable[[Float[Tensor, "n 3 h w"]], Float[Tensor, "n c p q"]]


def confident_l1(
    image: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n c h w"],
    mask: Float[Tensor, "n 1 h w"],
    sigma: Float[Tensor, "n 1 h w"],
) -> Float[Tensor, ""]:
    """Negative log likelihood of a Laplace distribution, sqrt(2) |d| / sigma + log sigma: its mean within the mask."""
    sigma = sigma + TINY
    loss = (image - target).abs() * math.sqrt(2) / sigma + sigma.log()
    return _masked_mean(loss, mask)


def confident_features(
    found: Float[Tensor, "n c p q"],
    target: Float[Tensor, "n c p q"],
    mask: Float[Tensor, "n 1 h w"],
    sigma: Float[Tensor, "n 1 p q"],
) -> Float[Tensor, ""]:
    """The same of features and a normal distribution, d^2 / (2 sigma^2) + log sigma; the mask is averaged down."""
    loss = (found - target) ** 2 / (2 * sigma**2 + TINY) + (sigma + TINY).log()
    return _masked_mean(loss, avg_pool2d(mask, mask.shape[-1] // loss.shape[-1]))


def vgg_features(net: Vgg16) -> Features:
    """Features after VGG-16's relu3_3 of pictures -1..1."""

    def features(images: Tensor) -> Tensor:
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        return net((images / 2 + 0.5 - mean) / deviation, STAGE)[-1]

    return features


def reconstruction_loss(
    seen: Canonical,
    found: Reconstructed,
    images: Float[Tensor, "n 3 64 64"],
    features: Features | None = None,
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """The inverse renderer's loss on pictures, and its parts; the mirror image's count half.

    Args:
        features: of the perceptual part; None leaves it out.
    """
    count = len(images)
    halves = {"": slice(None, count), "_flip": slice(count, None)}
    parts = {
        f"l1{name}": confident_l1(found.image[half], images, found.mask[half], seen.sigma[half])
        for name, half in halves.items()
    }
    if features is not None:
        ours, target = features(found.image), features(images)
        parts |= {
            f"perceptual{name}": confident_features(ours[half], target, found.mask[half], seen.sigma_features[half])
            for name, half in halves.items()
        }
    total = torch.stack([part * (MIRROR_WEIGHT if name.endswith("_flip") else 1) for name, part in parts.items()]).sum()
    return total, parts


def normal_loss(normals: Float[Tensor, "n 3 64 64"], found: Reconstructed) -> Float[Tensor, ""]:
    """The generator's term: how far its normals are from those the inverse renderer finds in its picture.

    The mean, where both have a surface, of the sum of absolute differences; normals of length 0 are none.
    """
    count = len(normals)
    there = (normals.detach().abs().sum(dim=1, keepdim=True) > 0).to(normals) * found.mask[:count]
    apart = (normals - found.normal[:count].permute(0, 3, 1, 2)).abs().sum(dim=1, keepdim=True)
    return _masked_mean(apart, there)


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """0 where the mask is empty."""
    mask = mask.expand_as(values)
    return (values * mask).sum() / mask.sum().clamp(min=TINY)
