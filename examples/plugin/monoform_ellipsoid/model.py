"""The network: a small picture of a mask to an ellipse, and how deep the solid is behind it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

SHARPNESS = 20.0  # of the edge of a drawn ellipse


@dataclass(frozen=True)
class EllipsoidConfig:
    """What config.json holds beside the weights.

    Attributes:
        size: side of the square that the network sees, in pixels.
        width: channels.
    """

    size: int = 32
    width: int = 8


class EllipsoidNet(nn.Module):
    """A mask to half axes across and down, in half sides of its square."""

    def __init__(self, config: EllipsoidConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Conv2d(1, config.width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(config.width, config.width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(config.width * (config.size // 4) ** 2, 2),
        )

    def forward(self, masks: Float[Tensor, "b s s"]) -> Float[Tensor, "b 2"]:
        """Half axes, 0..1."""
        return 0.05 + 0.95 * torch.sigmoid(self.layers(masks[:, None]))


def drawn(axes: Float[Tensor, "b 2"], size: int) -> Float[Tensor, "b s s"]:
    """Ellipses in the middle of squares, with soft edges."""
    steps = (torch.arange(size, device=axes.device) + 0.5) * 2 / size - 1
    across, down = (axes[:, index, None, None] for index in range(2))
    return torch.sigmoid(SHARPNESS * (1 - ((steps / across) ** 2 + (steps[:, None] / down) ** 2).sqrt()))
