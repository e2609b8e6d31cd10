"""The convolutions of VGG-16 (Simonyan and Zisserman 2015), with torchvision's names of tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ..errors import InputError
from .state_dict import read_state_dict, tensor_of

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of the 3 x 3 convolutions; the resolution halves between stages."""
CHANNELS = tuple(stage[-1] for stage in STAGES)
FULLY_CONNECTED, SIZE = 4096, 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels 0..1."""
SMALLEST = 2 ** (len(STAGES) - 1)  # pixels that leave one at the last stage
_ADVICE = "give a state dict of torchvision's vgg16 (vgg16-397923af.pth, or the same as .safetensors)"


class Vgg16(nn.Module):
    """The maps after the last ReLU of every stage."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage in STAGES:
            for width in stage:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:-1])

    @classmethod
    def load(cls, file: str | Path) -> Vgg16:
        """The network with the weights of a file; its classifier, if there is one, is not read.

        Raises:
            InputError: the file cannot be read or is of another network.
        """
        return _loaded(cls, file)

    def forward(self, x: Float[Tensor, "n 3 h w"], stages: int = len(STAGES)) -> list[Tensor]:
        """Five maps, each with half the resolution of the one before; channels as in `CHANNELS`.

        Args:
            stages: the first so many maps only.

        Raises:
            InputError: an image is smaller than 16 x 16.
        """
        if min(x.shape[2:]) < SMALLEST:
            raise InputError(f"VGG-16 sees images of {SMALLEST} x {SMALLEST} or more, not {x.shape[3]} x {x.shape[2]}.")
        maps = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
                if len(maps) == stages:
                    return maps
                x = max_pool2d(x, 2)
            elif isinstance(layer, nn.ReLU):
                x = torch.relu_(x)
            else:
                x = layer(x)
        return [*maps, x]


class Vgg16Features(nn.Module):
    """The second fully connected layer (fc2), after its ReLU: 4096 numbers of a whole image of 224 x 224."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*Vgg16().features, nn.MaxPool2d(2))
        dropped = nn.Identity()  # in training a dropout, which keeps the published numbers of layers
        wide, hidden = nn.Linear(CHANNELS[-1] * 7 * 7, FULLY_CONNECTED), nn.Linear(FULLY_CONNECTED, FULLY_CONNECTED)
        self.classifier = nn.Sequential(wide, nn.ReLU(), dropped, hidden, nn.ReLU())

    @classmethod
    def load(cls, file: str | Path) -> Vgg16Features:
        """The network with the weights of a file, which must hold the classifier too.

        Raises:
            InputError: the file cannot be read or is of another network.
        """
        return _loaded(cls, file)

    def forward(self, x: Float[Tensor, "n 3 224 224"]) -> Float[Tensor, "n 4096"]:
        """The features of images that have ImageNet's mean 0 and deviation 1."""
        return self.classifier(self.features(x).flatten(1))


Network = TypeVar("Network", Vgg16, Vgg16Features)


def _loaded(kind: type[Network], file: str | Path) -> Network:
    state = read_state_dict(file, _ADVICE)
    with torch.device("meta"):
        net = kind()
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    filled = {name: tensor_of(state, name, shape, file, _ADVICE) for name, shape in shapes.items()}
    net.load_state_dict(filled, assign=True)
    return net.requires_grad_(False).eval()
