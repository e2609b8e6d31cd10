"""Meshes with known insides, and a plain twin of the sign."""

from __future__ import annotations

import numpy as np
import trimesh

from monoform.data.objects.solids import box, joined, lathe
from monoform.mesh import Mesh, RayCaster


def from_trimesh(solid: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(solid.vertices), np.asarray(solid.faces))


def ball(radius: float = 0.5, center: tuple[float, float, float] = (0.0, 0.0, 0.0), subdivisions: int = 4) -> Mesh:
    mesh = from_trimesh(trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius))
    return Mesh(mesh.vertices + np.array(center), mesh.faces)


def torus(major: float = 0.33, minor: float = 0.12) -> Mesh:
    return from_trimesh(trimesh.creation.torus(major, minor, major_sections=128, minor_sections=64))


def turned_over(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


def together(*meshes: Mesh) -> Mesh:
    mesh = joined(list(meshes))
    return Mesh(mesh.vertices, mesh.faces)


def without_top(sides: tuple[float, float, float]) -> Mesh:
    """A box of sheets, looking outwards, whose upper side is missing."""
    mesh = box(sides)
    return mesh.submesh(mesh.face_normals[:, 1] < 0.5)


def sheet(side: float = 0.8) -> Mesh:
    """A square in the plane z = 0."""
    corners = 0.5 * side * np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))


def beaker() -> Mesh:
    """A closed surface with a hollow that is open at the top: walls and floor 0.05 thick."""
    profile = [[0, -0.3], [0.3, -0.3], [0.3, 0.3], [0.25, 0.3], [0.25, -0.25], [0, -0.25]]
    return lathe(np.array(profile, float), segments=48)


def box_distance(points: np.ndarray, half: np.ndarray) -> np.ndarray:
    gap = np.abs(points) - half
    return np.linalg.norm(np.maximum(gap, 0), axis=1) + np.minimum(gap.max(axis=1), 0)


def torus_distance(points: np.ndarray, major: float = 0.33, minor: float = 0.12) -> np.ndarray:
    ring = np.linalg.norm(points[:, :2], axis=1) - major
    return np.hypot(ring, points[:, 2]) - minor


def parity_inside(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Whether a ray from each point crosses the surface an odd number of times."""
    caster = RayCaster(mesh)
    direction = np.array([0.5377, 0.3219, 0.7793])
    count = np.zeros(len(points), int)
    places, alive = points.copy(), np.arange(len(points))
    for _ in range(64):
        hits = caster.cast(places[alive], np.tile(direction, (len(alive), 1)))
        alive = alive[hits.hit]
        if len(alive) == 0:
            break
        count[alive] += 1
        places[alive] += (hits.t[hits.hit] + 1e-6)[:, None] * direction
    return count % 2 == 1


def cube_points(count: int, *, seed: int = 0, half: float = 0.55) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-half, half, (count, 3))
