"""ResNet-18 and ResNet-34 (He et al. 2016) as image encoders, with torchvision's names of layers and tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from .state_dict import read_state_dict

Backbone = Literal["resnet18", "resnet34"]
BLOCKS: dict[str, tuple[int, int, int, int]] = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)
CHANNELS = (64, *WIDTHS)
"""Channels of the maps: of the stem, then of each layer."""


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the way around them; the first may halve the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        around = x if self.downsample is None else self.downsample(x)
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(x)) + around)


class ResNet(nn.Module):
    """The network down to any of its layers.

    Args:
        backbone: "resnet18" or "resnet34".
        layers: how many of the four layers there are; the rest is not built.
        classes: outputs of the linear head `fc` on the mean of the last map; None for no head.
        stem_stride: by what the stem divides the resolution; 1 keeps that of the image.
        width: channels of the stem and the first layer, doubled in each further layer; 64 as published.
    """

    def __init__(
        self,
        backbone: Backbone = "resnet34",
        *,
        layers: int = 4,
        classes: int | None = None,
        stem_stride: int = 2,
        width: int = WIDTHS[0],
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stem_stride, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layers = layers
        inputs = width
        for number, blocks in enumerate(BLOCKS[backbone][:layers]):
            width = inputs if number == 0 else 2 * inputs
            first = BasicBlock(inputs, width, 1 if number == 0 else 2)
            self.add_module(f"layer{number + 1}", nn.Sequential(first, *_more(blocks - 1, width)))
            inputs = width
        self.fc = None if classes is None else nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(
        self, images: Float[Tensor, "n 3 h w"], *, count: int | None = None, pool: bool = True
    ) -> list[Float[Tensor, "n c i j"]]:
        """The maps after the stem (half resolution, or that of `stem_stride`) and after each layer.

        Args:
            count: how many maps, from the stem on; None for all.
            pool: whether the stem's map is halved by a maximum before the first layer.
        """
        found = [torch.relu(self.bn1(self.conv1(images)))]
        x = nn.functional.max_pool2d(found[0], 3, 2, 1) if pool else found[0]
        for number in range(1, self.layers + 1 if count is None else count):
            x = self.get_submodule(f"layer{number}")(x)
            found.append(x)
        return found

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
        """The mean of the last map, through the head where there is one."""
        mean = self.maps(images)[-1].mean(dim=(2, 3))
        return mean if self.fc is None else self.fc(mean)


def load_resnet(net: ResNet, file: str | Path) -> None:
    """Fill a network with weights in torchvision's names, such as those trained on ImageNet.

    Layers that the network does not have, and a head, may be in the file; they are not read.

    Raises:
        InputError: the file cannot be read, lacks a tensor, or has one of another shape.
    """
    advice = "give a state dict of torchvision's resnet18 or resnet34 (.pth or .safetensors)"
    state = read_state_dict(file, advice)
    wanted = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith("fc.")}
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in state:
            raise InputError(f"{file} has no tensor {name!r}: it is no such network; {advice}.")
        if state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)} and not {tuple(tensor.shape)}"
            raise InputError(f"{file} is of another network, its {name!r} is {shapes}: {advice}.")
        if not bool(torch.isfinite(state[name]).all()):
            raise InputError(f"{file} is damaged, its {name!r} is not finite: {advice}.")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if name in state:
                tensor.copy_(state[name])


def _more(count: int, width: int) -> list[BasicBlock]:
    return [BasicBlock(width, width, 1) for _ in range(count)]
