"""LPIPS 0.1 with VGG-16 (Zhang et al. 2018): the perceptual distance that papers on new views print.

The weights are not monoform's to ship: the user gives torchvision's VGG-16 and the linear layers of the LPIPS release.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..devices import on_device
from ..errors import InputError
from ..nn.state_dict import read_state_dict, tensor_of
from ..nn.vgg import CHANNELS, Vgg16
from .arrays import Array

# Mean and deviation of ImageNet's pixels, for values -1..1.
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_SMALL = 1e-10
_LINEAR = "the linear layers of LPIPS 0.1 for VGG (vgg.pth of the release, tensors lin0.model.1.weight to lin4)"
_VGG = "torchvision's VGG-16 weights (vgg16-397923af.pth)"


class Lpips:
    """The distance: weighted squared differences of the unit-length features of five maps, averaged over each map.

    Args:
        vgg: the network.
        linear: for each of its maps the weights of the channels.
    """

    def __init__(self, vgg: Vgg16, linear: Sequence[Float[Tensor, " _"]]) -> None:
        self.vgg, self.linear = vgg, tuple(linear)

    @classmethod
    def load(cls, vgg: str | Path | None, linear: str | Path | None) -> Lpips:
        """The distance with the weights of two files (.pth or .safetensors).

        Raises:
            InputError: a file is not given, cannot be read, or is of another network; the sentence says which.
        """
        missing = " and ".join(what for file, what in ((vgg, _VGG), (linear, _LINEAR)) if file is None)
        if vgg is None or linear is None:
            raise InputError(f"LPIPS cannot be computed without {missing}; give the path, or leave LPIPS out.")
        state = read_state_dict(linear, f"give {_LINEAR}")
        weights = [
            tensor_of(state, f"lin{number}.model.1.weight", (1, channels, 1, 1), linear, f"give {_LINEAR}").reshape(-1)
            for number, channels in enumerate(CHANNELS)
        ]
        return cls(Vgg16.load(vgg), weights)

    def to(self, device: str | torch.device) -> Lpips:
        """The same on another device."""
        return Lpips(on_device(self.vgg, torch.device(device)), [weights.to(device) for weights in self.linear])

    def __call__(self, image: Shaped[Array, "h w 3"], reference: Shaped[Array, "h w 3"]) -> float:
        """The distance of two images 0..1.

        Raises:
            InputError: the images are smaller than 16 x 16.
        """
        with torch.inference_mode():
            return float(self.distances(self._prepared(image), self._prepared(reference))[0])

    def distances(self, images: Float[Tensor, "n 3 h w"], references: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Distances of images with values -1..1, differentiable; 0 for equal ones (equation 1).

        Raises:
            InputError: the images are smaller than 16 x 16.
        """
        return self.apart(self.maps(images), self.maps(references))

    def maps(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """The network's maps of images -1..1, to be compared with those of others."""
        mean, deviation = images.new_tensor(_MEAN)[:, None, None], images.new_tensor(_DEVIATION)[:, None, None]
        return self.vgg((images - mean) / deviation)

    def features(self, images: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """The maps, of unit length at each pixel."""
        return [one / (torch.linalg.vector_norm(one, dim=1, keepdim=True) + _SMALL) for one in self.maps(images)]

    def apart(self, maps: Sequence[Tensor], references: Sequence[Tensor]) -> Float[Tensor, " n"]:
        """The distances of images by their maps."""
        pairs = zip(maps, references, self.linear, strict=True)
        return torch.stack([_Apart.apply(one, other, weights) for one, other, weights in pairs]).sum(dim=0)

    def _prepared(self, image: Array) -> Float[Tensor, "1 3 h w"]:
        values = image if isinstance(image, Tensor) else torch.from_numpy(np.ascontiguousarray(image))
        return 2.0 * values.to(self.linear[0]).permute(2, 0, 1)[None] - 1.0


class _Apart(torch.autograd.Function):
    """The distance of two maps of one layer.

    A map is as large as all that is made of it, so that an image is compared at a time, and its gradient made with it.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, references: Tensor, weights: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[:2]
        distances = maps.new_empty(len(maps), dtype=weights.dtype)
        gradients = [
            torch.empty_like(each) if want else None for each, want in zip((maps, references), wanted, strict=True)
        ]
        for number, pair in enumerate(zip(maps, references, strict=True)):
            pixels = [each.permute(1, 2, 0).reshape(-1, len(weights)).to(weights) for each in pair]
            lengths = [torch.linalg.vector_norm(each, dim=1, keepdim=True) for each in pixels]
            units = [each / (length + _SMALL) for each, length in zip(pixels, lengths, strict=True)]
            gap = units[0] - units[1]
            weighted = gap * weights
            distances[number] = (gap * weighted).sum() / len(gap)
            for gradient, unit, length, sign in zip(gradients, units, lengths, (2.0, -2.0), strict=True):
                if gradient is not None:
                    along = (weighted * unit).sum(dim=1, keepdim=True) * (length + _SMALL) / length.clamp_min(_SMALL)
                    slope = (weighted - unit * along) * (sign / len(gap) / (length + _SMALL))
                    gradient[number] = slope.reshape(*maps.shape[2:], -1).permute(2, 0, 1)
        ctx.save_for_backward(*gradients)
        return distances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        factor = slope[:, None, None, None]
        one, other = (None if each is None else each * factor.to(each.dtype) for each in ctx.saved_tensors)
        return one, other, None
