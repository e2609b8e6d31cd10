"""The matting network over a backbone that has seen photos: EfficientNet-Lite0 and a light decoder."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..nn.efficientnet_lite import WIDTHS, EfficientNetLite0


@dataclass(frozen=True)
class LiteMattingConfig:
    """The network's sizes.

    Attributes:
        image_size: side of the square that the network sees, in pixels; a multiple of 32.
        widths: channels of the decoder at strides 2, 4, 8 and 16.
    """

    image_size: int = 320
    widths: tuple[int, ...] = (24, 40, 64, 96)

    def __post_init__(self) -> None:
        if not (32 <= self.image_size <= 1024 and self.image_size % 32 == 0):
            raise ValueError(f"image_size is {self.image_size}; it must be a multiple of 32 in 32..1024.")
        if len(self.widths) != 4 or not all(1 <= width <= 1024 for width in self.widths):
            raise ValueError(f"widths are {self.widths}; they must be four in 1..1024.")


class LiteMattingNet(nn.Module):
    """A photo to logits of being the object, at the size of the photo.

    The coarsest level also gets its own average and each pixel's place; finer levels come in at strides 16 to 2, and
    the last step unfolds channels into pixels (Shi et al. 2016).
    """

    def __init__(self, config: LiteMattingConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiteMattingConfig()
        self.backbone = EfficientNetLite0()
        last = config.widths[-1]
        self.coarse = unit(WIDTHS[-1] + 2, last, kernel=1)
        self.whole = nn.Linear(last, last)
        steps = list(pairwise((*config.widths, last)))
        self.up = nn.ModuleList(
            [
                nn.Sequential(unit(below + skip, width, kernel=1), unit(width, width))
                for (width, below), skip in reversed(list(zip(steps, WIDTHS[:-1], strict=True)))
            ]
        )
        self.leave = nn.Conv2d(config.widths[0], 4, 3, 1, 1)

    def forward(self, inputs: Float[Tensor, "b 5 s s"]) -> Float[Tensor, "b s s"]:
        """Logits of the mask, from centred colours and places."""
        levels = self.backbone((inputs[:, :3] + 2) / 4)
        place = functional.adaptive_avg_pool2d(inputs[:, 3:], levels[-1].shape[2:])
        hidden = self.coarse(torch.cat((levels[-1], place), dim=1))
        hidden = hidden + self.whole(hidden.mean(dim=(2, 3)))[:, :, None, None]
        for block, level in zip(self.up, reversed(levels[:-1]), strict=True):
            larger = functional.interpolate(hidden, size=level.shape[2:], mode="bilinear", align_corners=False)
            hidden = block(torch.cat((larger, level), dim=1))
        return functional.pixel_shuffle(self.leave(hidden), 2)[:, 0]


def unit(channels_in: int, channels: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, activation."""
    convolution = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())
