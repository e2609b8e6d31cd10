"""From a cloud to an occupancy grid and its features (Arshad and Beksi 2023, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def node_index(points: Float[Tensor, "b n 3"], nodes: int, half_side: float = 0.5) -> Int[Tensor, "b n"]:
    """The nearest node of each point, (i * nodes + j) * nodes + k for x, y, z; node 0 lies at -half_side, the last at
    +half_side, and points beyond go to the border."""
    place = (0.5 * points / half_side + 0.5) * (nodes - 1)
    i, j, k = place.round().clamp(0, nodes - 1).long().unbind(-1)
    return (i * nodes + j) * nodes + k


@torch.no_grad()
def occupancy(points: Float[Tensor, "b n 3"], nodes: int, half_side: float = 0.5) -> Float[Tensor, "b r r r"]:
    """1 at the nodes that are the nearest of a point, 0 elsewhere."""
    grid = points.new_zeros(len(points), nodes**3)
    grid.scatter_(1, node_index(points, nodes, half_side), 1.0)
    return grid.unflatten(1, (nodes, nodes, nodes))


class VolumeEncoder(nn.Module):
    """An occupancy probability, and a pyramid of features of it.

    Args:
        channels: from layer to layer: three layers from 1 to 1, then the levels of the pyramid.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        for number, (before, after) in enumerate(pairwise(channels)):
            layers[f"conv_{number}"] = nn.Conv3d(before, after, 3, padding=1)
            if number > 2:
                layers[f"conv_{number}_0"] = nn.Conv3d(after, after, 3, padding=1)
        self.conv = nn.ModuleDict(layers)
        self.bn = nn.ModuleList([nn.BatchNorm3d(after) for after in channels[1:]])  # the third is never used

    def forward(self, grid: Float[Tensor, "b r r r"]) -> list[Float[Tensor, "b _ _ _ _"]]:
        """The probability in 0..1, and features at 1, 1/2, 1/4 ... of the resolution."""
        x = grid[:, None]
        for number in (0, 1):
            x = self.bn[number](torch.relu(self.conv[f"conv_{number}"](x)))
        x = torch.sigmoid(self.conv["conv_2"](x))
        found = [x]
        for number in range(3, len(self.bn)):
            if number > 3:
                x = nn.functional.max_pool3d(x, 2)
            x = torch.relu(self.conv[f"conv_{number}"](x))
            x = self.bn[number](torch.relu(self.conv[f"conv_{number}_0"](x)))
            found.append(x)
        return found
