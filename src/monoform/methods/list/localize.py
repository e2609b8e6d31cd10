"""Where a point of the object lies in the picture, without a camera (Arshad and Beksi 2023, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

TINY = 1e-8
FRONT = 2.4  # distance of the frontal camera from the object's middle, in half sides of the box, for a fresh network


class PointMlp(nn.Module):
    """A cloud's features: the largest over its points of what a network says of each."""

    def __init__(self, widths: Sequence[int] = (64, 256, 512)) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        for number, (before, after) in enumerate(zip(inputs, widths, strict=True), start=1):
            layer = nn.Conv2d(before, after, 1)
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            self.add_module(f"block{number}", nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU()))

    def each(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b f n"]:
        """Features of every point."""
        x = points.mT[..., None]
        for block in self.children():
            x = block(x)
        return x[..., 0]

    def forward(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b f"]:
        """Features of the cloud."""
        return self.each(points).amax(dim=2)


def localizer(inputs: int, width: int = 128) -> nn.Sequential:
    """The network that turns a cloud's features and a picture's vector into the 12 numbers of a matrix."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.BatchNorm1d(width),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.BatchNorm1d(width),
        nn.Linear(width, 12),
    )


def start_in_front(head: nn.Sequential, map_side: int) -> None:
    """Let a fresh network begin with a camera that stands in front of the object and sees all of it.

    Published trainings begin in the map's corner, where a point that is clipped gives no gradient.
    """
    last = head[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.copy_(frontal(map_side).flatten())


def frontal(map_side: int) -> Float[Tensor, "4 3"]:
    """The matrix of a camera on the box's +z side that looks at its middle."""
    middle = 0.5 * (map_side - 1)
    focal = 0.58 * middle * FRONT
    # Rows are z, y, x, 1 of a point; columns are column, row and depth. Depth falls as z grows.
    return torch.tensor(
        [[-middle, -middle, -1.0], [0, -focal, 0], [focal, 0, 0], [middle * FRONT, middle * FRONT, FRONT]]
    )


def network_query(points: Float[Tensor, "*b 3"], half_side: float = 0.5) -> Float[Tensor, "*b 3"]:
    """Points of the box in -1..1, the order of their axes turned round: z, y, x."""
    return points.flip(-1) / half_side


def project(query: Float[Tensor, "b n 3"], matrix: Float[Tensor, "b 4 3"]) -> Float[Tensor, "b n 2"]:
    """Column and row on the map, not clipped; a point behind the camera is projected all the same.

    Args:
        query: as `network_query` gives it.
        matrix: applied from the right, (query, 1) @ matrix.
    """
    found = query @ matrix[:, :3] + matrix[:, 3:]
    return found[..., :2] / (found[..., 2:] + TINY)
