"""What distances of image distributions look at: a network's features of each image, or plain statistics of it.

A metric's name says what it saw: FID and KID are what they are called only with the Inception network of 2015, whose
weights the user brings. With anything else the same formula is a Frechet or a kernel distance of those features, and no
figure of one net compares with one of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from ..devices import device_of
from ..errors import InputError
from ..nn.efficientnet_lite import WIDTHS, EfficientNetLite0, load_imagenet
from ..nn.inception import FEATURES, SIZE, InceptionV3
from ..nn.state_dict import fill, read_state_dict
from ..nn.vgg import DEVIATION, FULLY_CONNECTED, MEAN, Vgg16Features
from ..nn.vgg import SIZE as VGG_SIZE
from ..weights import ADVICE, FILE, shipped
from .frechet import Divisor, Moments
from .inception_score import SPLITS
from .precision_recall import NEIGHBORS

Resizing = Literal["tensorflow", "pytorch"]
OwnFeatures = Literal["pyramid", "efficientnet-lite0"]
FeatureName = Literal["pyramid", "efficientnet-lite0", "inception", "inception-pytorch", "vgg16"]


@runtime_checkable
class FeatureNet(Protocol):
    """Features of images.

    Attributes:
        name: stands in the names of metrics.
        size: numbers of an image.
        frechet: what the Frechet distance of these features is called.
        kernel: what their kernel distance is called.
    """

    name: str
    size: int
    frechet: str
    kernel: str

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Features of images, sRGB 0..255, on any device."""
        ...


class InceptionFeatures:
    """The last pooling of Inception v3 (pool3): those of FID and KID.

    Args:
        resizing: "tensorflow" resizes and scales as the first FID did, StyleGAN's metrics and torch-fidelity do;
            "pytorch" as pytorch-fid does. The figures of the two differ by some percent.
    """

    size, frechet, kernel = FEATURES, "fid", "kid"

    def __init__(self, net: InceptionV3, resizing: Resizing = "tensorflow") -> None:
        self.net, self.resizing = net, resizing
        self.name = "inception2015" if resizing == "tensorflow" else "inception2015-pytorch"

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048"]:
        """The features; images of any size."""
        x = images.to(device_of(self.net)).float()
        if self.resizing == "tensorflow":
            x = (_resized_as_tensorflow(x, SIZE) - 128) / 128
        else:
            x = 2 * interpolate(x / 255, (SIZE, SIZE), mode="bilinear", align_corners=False) - 1
        with torch.inference_mode():
            return self.net(x)

    def probabilities(self, features: Float[Tensor, "n 2048"]) -> Float[Tensor, "n 1008"]:
        """Of the classes, for inception scores."""
        with torch.inference_mode():
            return self.net.probabilities(torch.as_tensor(features).to(device_of(self.net)))


class VggFeatures:
    """The second fully connected layer of VGG-16: those of precision and recall."""

    name, size, frechet, kernel = "vgg16-fc2", FULLY_CONNECTED, "frechet", "kernel"

    def __init__(self, net: Vgg16Features) -> None:
        self.net = net

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 4096"]:
        """The features; images of any size."""
        x = _resized_as_tensorflow(images.to(device_of(self.net)).float(), VGG_SIZE) / 255
        mean, deviation = (x.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        with torch.inference_mode():
            return self.net((x - mean) / deviation)


class PyramidFeatures:
    """Colors on a 4 x 4 grid, and how much detail of each scale there is in each quarter: no network, no weights.

    Enough to rank the snapshots of one training and to notice collapse; it knows nothing of what images show.
    """

    name, frechet, kernel = "pyramid", "frechet", "kernel"
    size = 3 * (4 * 4 + 3 * 2 * 2)
    _finest, _gain = 64, 8.0  # detail is so much fainter than color

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 84"]:
        """The features; images of any size."""
        with torch.inference_mode():
            level = adaptive_avg_pool2d(images.float() / 255, self._finest)
            found = [adaptive_avg_pool2d(level, 4)]
            for _ in range(3):
                coarser = adaptive_avg_pool2d(level, level.shape[-1] // 2)
                detail = level - interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False)
                found.append(self._gain * adaptive_avg_pool2d(detail.abs(), 2))
                level = coarser
            return torch.cat([part.flatten(1) for part in found], dim=1)


class LiteFeatures:
    """The last stage of EfficientNet-Lite0, averaged over the image.

    Args:
        net: the network.
        name: whose weights these are.
    """

    size, frechet, kernel = WIDTHS[-1], "frechet", "kernel"
    _side = 224

    def __init__(self, net: EfficientNetLite0, name: str) -> None:
        self.net, self.name = net.eval(), name

    @classmethod
    def load(cls, weights: str | Path | None = None) -> LiteFeatures:
        """By the published ImageNet weights; without a file by those of the mask network that ships, which began as
        these and went on learning masks: `efficientnet-lite0-matting`.

        Raises:
            InputError: the weights cannot be read, or are of another network.
        """
        net = EfficientNetLite0()
        if weights is not None:
            load_imagenet(net, weights)
            return cls(net, "efficientnet-lite0")
        ours = shipped()["matting"]
        ours.require_intact()
        begin = "backbone."
        found = {
            name: one for name, one in read_state_dict(ours.folder / FILE, ADVICE).items() if name.startswith(begin)
        }
        fill(net.state_dict(), {name.removeprefix(begin): one for name, one in found.items()}, ours.title, ADVICE)
        return cls(net, "efficientnet-lite0-matting")

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 192"]:
        """The features; images of any size."""
        side = (self._side, self._side)
        with torch.inference_mode():
            x = images.to(device_of(self.net)).float() / 255
            x = interpolate(x, side, mode="bilinear", align_corners=False, antialias=x.shape[-1] > self._side)
            return self.net(x)[-1].mean(dim=(2, 3))


def open_features(
    name: FeatureName, weights: str | Path | None = None, *, device: torch.device | str = "cpu"
) -> FeatureNet:
    """The features of a name; all but "pyramid" and "efficientnet-lite0" need a file of weights.

    Raises:
        InputError: the weights are not given, cannot be read, or are of another network.
    """
    if name == "pyramid":
        return PyramidFeatures()
    if name == "efficientnet-lite0":
        found = LiteFeatures.load(weights)
        found.net.to(device)
        return found
    if weights is None:
        file = "vgg16-397923af.pth" if name == "vgg16" else "pt_inception-2015-12-05-6726825d.pth"
        raise InputError(f"The features {name!r} need a file of weights ({file}); give its path, or take pyramid.")
    if name == "vgg16":
        return VggFeatures(Vgg16Features.load(weights).to(device))
    return InceptionFeatures(
        InceptionV3.load(weights).to(device), "pytorch" if name == "inception-pytorch" else "tensorflow"
    )


def features_of(
    net: Callable[[Tensor], Tensor], batches: Iterable[UInt8[Tensor, "_ 3 h w"]]
) -> Iterator[Float[np.ndarray, "_ d"]]:
    """Features of batches, one after the other, so that no more than one batch of images is in memory."""
    for images in batches:
        yield net(images).cpu().numpy()


def moments_of(net: FeatureNet, batches: Iterable[UInt8[Tensor, "_ 3 h w"]]) -> Moments:
    """Mean and covariance of the features of all images in batches."""
    found = Moments(net.size)
    for features in features_of(net, batches):
        found.add(features)
    return found


def as_bytes(images: Float[Tensor, "*b h w"]) -> UInt8[Tensor, "*b h w"]:
    """Images -1..1 as 0..255, rounded down from x * 127.5 + 128 as evaluations of generators do."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8)


def frechet_name(net: FeatureNet, divisor: Divisor) -> str:
    """Of a Frechet distance, with the net and the covariance's divisor, as in `fid_inception2015_n`."""
    return f"{net.frechet}_{net.name}_{divisor}"


def kernel_name(net: FeatureNet) -> str:
    """Of a kernel distance, as in `kid_inception2015`."""
    return f"{net.kernel}_{net.name}"


def precision_name(net: FeatureNet, which: Literal["precision", "recall"], neighbors: int = NEIGHBORS) -> str:
    """Of precision or recall, with the number of neighbors, as in `precision3_vgg16-fc2`."""
    return f"{which}{neighbors}_{net.name}"


def score_name(net: FeatureNet, splits: int = SPLITS) -> str:
    """Of an inception score, with the number of splits, as in `is10_inception2015`."""
    return f"is{splits}_{net.name}"


def _resized_as_tensorflow(x: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c s s"]:
    """Bilinear between the pixels at i * old / new, without the half pixel, which TensorFlow 1 left out."""
    for axis in (-1, -2):
        place = torch.arange(size, dtype=torch.float32, device=x.device) * (x.shape[axis] / size)
        low = place.long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        part = (place - low).unsqueeze(-1) if axis == -2 else place - low
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, high), part)
    return x
