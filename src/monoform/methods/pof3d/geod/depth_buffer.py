"""Depth of a surface of triangles as a camera sees it, in plain PyTorch: which triangle is nearest is found without
gradients, and its depth there is a function of its corners.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d

from .geometry import pixels_of

NEAREST = 0.1
"""Depth below which nothing is seen."""
_PAIRS = 1 << 22  # of triangles and samples that are in memory at once
_SLACK = 1e-6  # of barycentric coordinates, so that no crack opens between neighbors


def grid_triangles(height: int, width: int, device: torch.device | None = None) -> Int[Tensor, "f 3"]:
    """Two triangles between each four neighbors of a grid, rows first."""
    corner = torch.arange(height * width, device=device).reshape(height, width)
    a, b, c, d = (part.reshape(-1) for part in (corner[:-1, :-1], corner[1:, :-1], corner[:-1, 1:], corner[1:, 1:]))
    return torch.cat((torch.stack((a, b, c), dim=1), torch.stack((c, b, d), dim=1)))


def seen_depth(
    points: Float[Tensor, "n h w 3"], fov: float, *, supersampling: int, uncovered: float
) -> Float[Tensor, "n h w"]:
    """Depth that each pixel sees of surfaces over grids of points in the camera's axes, differentiable.

    As published, a pixel's samples lie in the square between it and its next neighbors, so that the surface seems moved
    by half a pixel and never covers the last row and column.

    Args:
        supersampling: samples of a pixel in each direction, which are averaged.
        uncovered: depth of a sample that sees nothing; nothing farther is seen either.
    """
    count, height, width = points.shape[:3]
    triangles = grid_triangles(height, width, points.device)
    corners = points.reshape(count, -1, 3)
    places = torch.cat((pixels_of(corners, width, fov) * supersampling - 0.5, corners[..., 2:]), dim=-1)
    size = height * supersampling, width * supersampling
    with torch.no_grad():
        nearest = _nearest_triangles(places, triangles, size, uncovered)
    seen = nearest >= 0
    item, row, column = torch.nonzero(seen, as_tuple=True)
    chosen = places[item[:, None], triangles[nearest[seen]]]
    depth = points.new_full(seen.shape, uncovered)
    depth = depth.index_put((item, row, column), _depth_at(chosen, column.to(depth), row.to(depth))[1])
    return avg_pool2d(depth[:, None], supersampling)[:, 0]


def _depth_at(
    corners: Float[Tensor, "k 3 3"], x: Float[Tensor, " k"], y: Float[Tensor, " k"]
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, " k"]]:
    """Barycentric coordinates of a place in the picture of a triangle, and the depth of the triangle there."""
    dx, dy = corners[..., 0] - x[:, None], corners[..., 1] - y[:, None]
    areas = dx.roll(-1, 1) * dy.roll(-2, 1) - dx.roll(-2, 1) * dy.roll(-1, 1)  # opposite each corner
    shares = areas / areas.sum(dim=1, keepdim=True)
    return shares, 1 / (shares / corners[..., 2]).sum(dim=1)


def _nearest_triangles(
    places: Float[Tensor, "n p 3"], triangles: Int[Tensor, "f 3"], size: tuple[int, int], farthest: float
) -> Int[Tensor, "n h w"]:
    """The triangle that each sample sees, -1 where there is none; of two in one depth the first."""
    count, faces = len(places), len(triangles)
    corners = places[:, triangles].reshape(-1, 3, 3)
    last = torch.tensor((size[1] - 1, size[0] - 1), device=places.device)
    flat = corners[..., :2].nan_to_num(nan=-1.0).clamp(-4, float(max(size)) + 4)
    low = flat.amin(dim=1).ceil().long().clamp(min=0)
    high = torch.minimum(flat.amax(dim=1).floor().long(), last)
    extent = (high - low + 1).clamp(min=0)
    pairs = extent.prod(dim=1)
    depth = places.new_full((count * size[0] * size[1],), torch.inf)
    chunks = _chunks(pairs)
    found = [_covered(corners, low, extent, pairs, part, faces, size, farthest) for part in chunks]
    for sample, _, far in found:
        depth.scatter_reduce_(0, sample, far, "amin")
    nearest = torch.full_like(depth, faces, dtype=torch.long)
    for sample, face, far in found:
        won = far == depth[sample]
        nearest.scatter_reduce_(0, sample[won], face[won], "amin")
    return torch.where(nearest < faces, nearest, -1).reshape(count, *size)


def _chunks(pairs: Int[Tensor, " t"]) -> list[Tensor]:
    """Numbers of triangles that meet any sample, in parts that fit into memory together."""
    met = torch.nonzero(pairs)[:, 0]
    part = pairs[met].cumsum(0) // _PAIRS
    return list(torch.split(met, torch.unique_consecutive(part, return_counts=True)[1].tolist()))


def _covered(
    corners: Float[Tensor, "t 3 3"],
    low: Int[Tensor, "t 2"],
    extent: Int[Tensor, "t 2"],
    pairs: Int[Tensor, " t"],
    part: Int[Tensor, " m"],
    faces: int,
    size: tuple[int, int],
    farthest: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Samples within triangles: number of the sample, number of the triangle in its surface, depth."""
    own = torch.repeat_interleave(part, pairs[part])
    first = pairs[part].cumsum(0) - pairs[part]
    place = torch.arange(len(own), device=own.device) - torch.repeat_interleave(first, pairs[part])
    x = low[own, 0] + place % extent[own, 0]
    y = low[own, 1] + place // extent[own, 0]
    shares, depth = _depth_at(corners[own], x.to(corners), y.to(corners))
    inside = (shares >= -_SLACK).all(dim=1) & (depth > NEAREST) & (depth < farthest)
    sample = (own // faces * size[0] + y) * size[1] + x
    return sample[inside], (own % faces)[inside], depth[inside]
