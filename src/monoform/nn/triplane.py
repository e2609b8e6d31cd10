"""Features of points from three planes through a box (EG3D, Chan et al. 2022, section 4.1)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag, grid_sample, pad

PlaneAxes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
AXES: dict[str, PlaneAxes] = {
    "legacy": ((0, 1), (0, 2), (2, 0)),
    "fixed": ((0, 1), (0, 2), (2, 1)),
    "sorted": ((0, 1), (0, 2), (1, 2)),
}
"""Axes of the world along the columns and the rows of each plane: "legacy" those of EG3D's first release, whose third
plane sees what the second one sees; "fixed" those of its later ones; "sorted" those of bootstrapped inversion."""
Padding = Literal["zeros", "border"]


def plane_coordinates(points: Float[Tensor, "n p 3"], axes: PlaneAxes) -> Float[Tensor, "n 3 p 2"]:
    """Points projected on each plane: (column, row) of -1..1 within it."""
    return torch.stack([torch.stack([points[..., one] for one in pair], dim=-1) for pair in axes], dim=1)


def plane_features(
    planes: Float[Tensor, "n 3 c h w"],
    points: Float[Tensor, "n p 3"],
    axes: PlaneAxes,
    *,
    padding: Padding = "zeros",
    align_corners: bool = False,
) -> Float[Tensor, "n 3 p c"]:
    """Bilinear samples of each plane.

    Args:
        points: -1..1 within the box.
        axes: one of `AXES`.
        padding: what lies beyond a plane's border.
        align_corners: whether -1 and 1 are the centers of the outermost pixels, or their outer edges.
    """
    places = plane_coordinates(points, axes).flatten(0, 1)[:, None]
    found = grid_sample(planes.flatten(0, 1), places, padding_mode=padding, align_corners=align_corners)
    return found[:, :, 0].transpose(1, 2).unflatten(0, (-1, 3))


def sample_planes(
    planes: Float[Tensor, "n 3 c h w"],
    points: Float[Tensor, "n p 3"],
    axes: PlaneAxes,
    *,
    padding: Padding = "zeros",
    align_corners: bool = False,
    twice: bool = False,
) -> Float[Tensor, "n p c"]:
    """The mean of bilinear samples of the three planes; see `plane_features`.

    Args:
        twice: in operations that can be differentiated twice, which costs more memory.
    """
    if twice or not torch.is_grad_enabled():
        return PlaneTable(planes, padding).sample(points, axes, align_corners=align_corners, twice=twice)
    return plane_features(planes, points, axes, padding=padding, align_corners=align_corners).mean(dim=1)


class PlaneTable:
    """Planes in the order that looking up points in them reads: made once, for many lookups.

    Args:
        planes: of n boxes.
        padding: what lies beyond a plane's border.
    """

    def __init__(self, planes: Float[Tensor, "n 3 c h w"], padding: Padding = "zeros") -> None:
        self.padding: Padding = padding
        self.boxes, _, _, self.height, self.width = planes.shape
        around = pad(planes.flatten(0, 1), (1, 1, 1, 1), mode="replicate" if padding == "border" else "constant")
        self.table = around.permute(0, 2, 3, 1).reshape(-1, planes.shape[2])

    def sample(
        self,
        points: Float[Tensor, "n p 3"],
        axes: PlaneAxes,
        *,
        align_corners: bool = False,
        twice: bool = False,
    ) -> Float[Tensor, "n p c"]:
        """What `sample_planes` gives."""
        n, p, _ = points.shape
        columns, rows = (
            torch.stack([points[..., pair[which]] for pair in axes], dim=-1).reshape(n * p, 3) for which in (0, 1)
        )
        x, right = self._cells(columns, self.width, align_corners)
        y, bottom = self._cells(rows, self.height, align_corners)
        wide, high = self.width + 2, self.height + 2
        plane = torch.arange(3 * n, dtype=torch.int32, device=points.device).reshape(n, 1, 3) * (wide * high)
        first = y.mul_(wide).add_(x).reshape(n, p, 3).add_(plane).reshape(n * p, 3, 1)
        corners = first + first.new_tensor((0, 1, wide, wide + 1))
        across = torch.stack((1 - right, right), dim=-1) / 3  # the mean over the planes
        along = torch.stack((1 - bottom, bottom), dim=-1)
        weights = (along[..., None] * across[..., None, :]).reshape(n * p, 12)
        corners = corners.reshape(n * p, 12)
        if twice:
            found = (self.table[corners.long()] * weights[..., None]).sum(dim=1)
        else:
            found = embedding_bag(corners, self.table, mode="sum", per_sample_weights=weights.to(self.table.dtype))
        return found.reshape(n, p, self.table.shape[1])

    def _cells(self, places: Tensor, size: int, align_corners: bool) -> tuple[Tensor, Tensor]:
        """The pixel before each place, counted with the padding, and the way from it to the next one, 0..1."""
        scale, first = ((size - 1) / 2, 1.0) if align_corners else (size / 2, 0.5)
        places = (places + 1) * scale + first
        # Nothing changes beyond the padding; NaN is sent there, too.
        places = places.clamp(0, size + 1) if self.padding == "zeros" else places.clamp(1, size)
        before = places.detach().nan_to_num(0.0).floor().clamp_max(size)
        return before.int(), places - before
