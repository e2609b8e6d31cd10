"""Inception v3 as Frechet inception distances need it: the network of the TensorFlow release of December 2015.

Tensors have the names of the converted weights that evaluations of generators pass around
(pt_inception-2015-12-05-6726825d.pth, the same as weights-inception-2015-12-05-6726825d.pth): torchvision's, with 1008
classes and no auxiliary classifier.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from .state_dict import is_counter, read_state_dict, require_fit, tensor_of

CLASSES, FEATURES, SIZE = 1008, 2048, 299
_ADVICE = "give the weights of the 2015 Inception network (pt_inception-2015-12-05-6726825d.pth)"
Pair = int | tuple[int, int]


class ConvBnRelu(nn.Module):
    """A convolution without bias, batch normalization, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: int = 1, padding: Pair = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o p q"]:
        """The map after the ReLU."""
        return relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    """Mean of 3 x 3 pixels, of fewer at the border: padding does not count, as in TensorFlow."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """35 x 35: 1 x 1, 5 x 5, twice 3 x 3, and a pooled branch."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBnRelu(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = ConvBnRelu(inputs, 48, 1), ConvBnRelu(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvBnRelu(inputs, 64, 1), ConvBnRelu(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnRelu(96, 96, 3, padding=1)
        self.branch_pool = ConvBnRelu(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Branches side by side."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five, pooled = self.branch5x5_2(self.branch5x5_1(x)), self.branch_pool(_average(x))
        return torch.cat((self.branch1x1(x), five, double, pooled), dim=1)


class BlockB(nn.Module):
    """35 x 35 to 17 x 17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = ConvBnRelu(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvBnRelu(inputs, 64, 1), ConvBnRelu(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnRelu(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Branches side by side."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat((self.branch3x3(x), double, max_pool2d(x, 3, stride=2)), dim=1)


class BlockC(nn.Module):
    """17 x 17: 7 x 7 as rows and columns."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        row: dict[str, Pair] = {"kernel": (1, 7), "padding": (0, 3)}
        column: dict[str, Pair] = {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = ConvBnRelu(inputs, 192, 1)
        self.branch7x7_1 = ConvBnRelu(inputs, width, 1)
        self.branch7x7_2 = ConvBnRelu(width, width, row["kernel"], padding=row["padding"])
        self.branch7x7_3 = ConvBnRelu(width, 192, column["kernel"], padding=column["padding"])
        self.branch7x7dbl_1 = ConvBnRelu(inputs, width, 1)
        self.branch7x7dbl_2 = ConvBnRelu(width, width, column["kernel"], padding=column["padding"])
        self.branch7x7dbl_3 = ConvBnRelu(width, width, row["kernel"], padding=row["padding"])
        self.branch7x7dbl_4 = ConvBnRelu(width, width, column["kernel"], padding=column["padding"])
        self.branch7x7dbl_5 = ConvBnRelu(width, 192, row["kernel"], padding=row["padding"])
        self.branch_pool = ConvBnRelu(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Branches side by side."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat((self.branch1x1(x), once, twice, self.branch_pool(_average(x))), dim=1)


class BlockD(nn.Module):
    """17 x 17 to 8 x 8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = ConvBnRelu(inputs, 192, 1), ConvBnRelu(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvBnRelu(inputs, 192, 1)
        self.branch7x7x3_2 = ConvBnRelu(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvBnRelu(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvBnRelu(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Branches side by side."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat((three, seven, max_pool2d(x, 3, stride=2)), dim=1)


class BlockE(nn.Module):
    """8 x 8; the last one pools by the largest, a slip of the 2015 release that its features hold."""

    def __init__(self, inputs: int, *, pool_largest: bool) -> None:
        super().__init__()
        self.pool_largest = pool_largest
        self.branch1x1, self.branch3x3_1 = ConvBnRelu(inputs, 320, 1), ConvBnRelu(inputs, 384, 1)
        self.branch3x3_2a = ConvBnRelu(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvBnRelu(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvBnRelu(inputs, 448, 1), ConvBnRelu(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBnRelu(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvBnRelu(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBnRelu(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Branches side by side."""
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = max_pool2d(x, 3, stride=1, padding=1) if self.pool_largest else _average(x)
        branches = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        branches += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pooled)]
        return torch.cat(branches, dim=1)


class InceptionV3(nn.Module):
    """The network up to its last pooling, and its 1008 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvBnRelu(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvBnRelu(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvBnRelu(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvBnRelu(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvBnRelu(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d = BlockC(768, 128), BlockC(768, 160), BlockC(768, 160)
        self.Mixed_6e = BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, pool_largest=False), BlockE(2048, pool_largest=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    @classmethod
    def load(cls, file: str | Path) -> InceptionV3:
        """The network with the weights of a file (.pth or .safetensors).

        Raises:
            InputError: the file cannot be read or is of another network: torchvision's own has 1000 classes.
        """
        state = read_state_dict(file, _ADVICE)
        with torch.device("meta"):
            net = cls()
        wanted = {name: tensor for name, tensor in net.state_dict().items() if not is_counter(name)}
        require_fit(wanted, state, f"{file} is of another network", _ADVICE, may_be_left_out=is_counter)
        filled = {name: tensor_of(state, name, tuple(like.shape), file, _ADVICE) for name, like in wanted.items()}
        counters = {name: torch.zeros((), dtype=torch.long) for name in net.state_dict() if name not in wanted}
        net.load_state_dict(filled | counters, assign=True)
        return net.requires_grad_(False).eval()

    def forward(self, x: Float[Tensor, "n 3 299 299"]) -> Float[Tensor, "n 2048"]:
        """The features of the last pooling (pool3) of images -1..1."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean(dim=(2, 3))

    def probabilities(self, features: Float[Tensor, "n 2048"]) -> Float[Tensor, "n 1008"]:
        """Of the classes, without the last layer's bias, as inception scores are computed."""
        return torch.softmax(features @ self.fc.weight.T, dim=1)
