"""Meshes with known answers, and random closed ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
import trimesh
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from monoform.mesh import Mesh, extract
from monoform.nn import Field


def from_trimesh(solid: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


def icosphere(radius: float = 0.5, subdivisions: int = 3) -> Mesh:
    return from_trimesh(trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius))


def box(sides: tuple[float, float, float] = (1.0, 0.6, 0.4)) -> Mesh:
    return from_trimesh(trimesh.creation.box(extents=sides))


def torus() -> Mesh:
    return from_trimesh(trimesh.creation.torus(0.35, 0.12))


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *[len(mesh.vertices) for mesh in meshes]])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def moved(mesh: Mesh, offset: tuple[float, float, float]) -> Mesh:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return mesh.transformed(matrix)


def two_triangles(texture: np.ndarray | None = None) -> Mesh:
    """The unit square in the plane z = 0 facing +z, uv equal to x and y."""
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), uv=corners[:, :2].copy(), texture=texture)


@cache
def _noise(seed: int, smooth: float, cells: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((cells,) * 3), smooth)
    return noise / np.abs(noise).max()


@dataclass(frozen=True)
class NoiseField(Field):
    """Smooth random values in a cube; solid wherever they are below 0."""

    seed: int
    smooth: float = 1.5
    cells: int = 24
    kind: Literal["density", "sdf"] = "sdf"
    representative_direction: Any = None

    @property
    def bounds(self) -> torch.Tensor:
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: torch.Tensor) -> torch.Tensor:
        noise = _noise(self.seed, self.smooth, self.cells)
        places = (points.numpy().astype(np.float64) + 0.5) * (self.cells - 1)
        values = map_coordinates(noise, places.T, order=1, mode="nearest")
        return torch.from_numpy(values).to(points)

    def values(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> torch.Tensor:
        return points + 0.5


def sponge(seed: int, *, resolution: int = 40, smooth: float = 1.5) -> Mesh:
    """A closed surface with many holes, thin parts and loose pieces."""
    return extract(NoiseField(seed, smooth=smooth), resolution=resolution, coarse=resolution)


@st.composite
def star_solids(draw: st.DrawFn) -> Mesh:
    """Closed surfaces around the origin: a ball whose radius varies at random with the direction."""
    seed = draw(st.integers(0, 2**32 - 1))
    roughness = draw(st.floats(0.0, 0.6))
    ball = icosphere(1.0, draw(st.integers(1, 3)))
    scale = draw(st.sampled_from([1e-3, 0.5, 1.0, 100.0]))
    radii = 1.0 + roughness * np.random.default_rng(seed).uniform(-1, 1, len(ball.vertices))
    return Mesh(scale * radii[:, None] * ball.vertices, ball.faces)
