"""The surface as the release makes it: every node of the cube, marching cubes, a color for each vertex."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...mesh import Mesh
from ...mesh.node_grid import Grid, Sampler, every_node, triangles
from .planes import PlaneVolume

THRESHOLD = 25.0


def level_grid(volume: PlaneVolume, nodes: int, threshold: float = THRESHOLD) -> Float[np.ndarray, "x y z"]:
    """Density less the threshold at nodes of the cube, the outermost on its faces."""
    grid = Grid.cube(volume.rendering.radius, nodes)
    found = Sampler(volume.density, grid).at(every_node(grid.shape))
    return found.reshape(grid.shape) - np.float32(threshold)


def published_surface(level: Float[np.ndarray, "x y z"], grid: Grid) -> Mesh:
    """Where a level is 0, positive within: one vertex on each edge of the grid that crosses it, open at the border."""
    return triangles(-level, grid, closed=False, table="lorensen")


def vertex_colors(volume: PlaneVolume, vertices: Float[np.ndarray, "n 3"]) -> Float[Tensor, "n 3"]:
    """Colors 0..1 at points of the network's world."""
    return torch.sigmoid(volume.raw(torch.from_numpy(vertices).float())[:, 1:])


def texture_colors(volume: PlaneVolume, positions: Float[Tensor, "t t 4"]) -> Float[Tensor, "t t 4"]:
    """Color 0..1 and coverage of a texture's pixels, all 0 where nothing is.

    Args:
        positions: of each pixel in the network's world, and whether a triangle covers it.
    """
    flat = positions.flatten(0, 1)
    covered = flat[:, 3] > 0
    found = torch.zeros_like(flat)
    found[covered, :3] = torch.sigmoid(volume.raw(flat[covered, :3])[:, 1:])
    found[covered, 3] = flat[covered, 3]
    return found.unflatten(0, positions.shape[:2])
