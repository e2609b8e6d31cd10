"""The closest points of a surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float, Int

from ..errors import InputError
from .mesh import Mesh

_SAMPLES = 60_000
_CANDIDATES = 6
_AWAY = 0.05  # a point on a face that looks away counts as this share of the mesh's size further off


@dataclass(frozen=True, eq=False)
class Closest:
    """The point of a mesh nearest to each query.

    Attributes:
        face: index.
        barycentric: weights of its corners.
        point: in the world.
        distance: in world units.
    """

    face: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]
    point: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, " n"]


def closest_points(
    mesh: Mesh, points: Float[np.ndarray, "n 3"], *, normals: Float[np.ndarray, "n 3"] | None = None
) -> Closest:
    """For each point the closest of the surface, among the faces around the nearest of a dense set of samples.

    The distance to a face is exact (Ericson 2005, section 5.1.5); which face is closest is exact up to the spacing of
    the samples. With `normals`, faces that look the opposite way are avoided, which keeps the two sides of thin parts
    apart.

    Raises:
        InputError: the mesh has no faces.
    """
    if len(mesh.faces) == 0:
        raise InputError("A mesh without faces has no closest point.")
    size = float(np.linalg.norm(mesh.bounds[1] - mesh.bounds[0]))
    candidates = _candidates(mesh, points, normals, _AWAY * size)
    best_cost = np.full(len(points), np.inf)
    face = np.zeros(len(points), np.int64)
    barycentric = np.zeros((len(points), 3))
    for column in range(candidates.shape[1]):
        fresh = np.ones(len(points), bool)
        for earlier in range(column):
            fresh &= candidates[:, column] != candidates[:, earlier]
        rows = np.nonzero(fresh)[0]
        chosen = candidates[rows, column]
        weights = closest_weights(mesh.triangles[chosen], points[rows])
        reached = np.einsum("nk,nkc->nc", weights, mesh.triangles[chosen])
        cost = np.linalg.norm(reached - points[rows], axis=1)
        if normals is not None:
            facing = np.einsum("ij,ij->i", mesh.face_normals[chosen], normals[rows])
            cost = cost + _AWAY * size * np.maximum(-facing, 0.0)
        better = cost < best_cost[rows]
        best_cost[rows[better]] = cost[better]
        face[rows[better]] = chosen[better]
        barycentric[rows[better]] = weights[better]
    point = np.einsum("nk,nkc->nc", barycentric, mesh.triangles[face])
    return Closest(face, barycentric, point, np.linalg.norm(point - points, axis=1))


def _candidates(mesh: Mesh, points: np.ndarray, normals: np.ndarray | None, length: float) -> Int[np.ndarray, "n k"]:
    """Faces that own the nearest samples; with normals also those nearest in position and direction together."""
    positions, owner = _samples(mesh)
    queries = [(positions, points, _CANDIDATES if normals is None else 4)]
    if normals is not None:
        directed = np.concatenate([positions, length * mesh.face_normals[owner]], axis=1)
        queries.append((directed, np.concatenate([points, length * normals], axis=1), 3))
    found, tree = [], scipy.spatial.cKDTree
    for samples, queried, count in queries:
        count = min(count, len(samples))
        found.append(owner[tree(samples).query(queried, k=count, workers=-1)[1].reshape(len(points), count)])
    return np.concatenate(found, axis=1)


def _samples(mesh: Mesh) -> tuple[Float[np.ndarray, "s 3"], Int[np.ndarray, " s"]]:
    """Points on a regular grid of each face, about as many per area everywhere, at least its centre."""
    area = mesh.face_areas / max(float(mesh.face_areas.sum()), 1e-300)
    steps = np.ceil(np.sqrt(area * _SAMPLES)).clip(1, 200).astype(np.int64)
    positions, owners = [], []
    for step in np.unique(steps):
        chosen = np.nonzero(steps == step)[0]
        i, j = np.nonzero(np.add.outer(np.arange(step), np.arange(step)) < step)
        weights = np.stack([i + 1 / 3, j + 1 / 3, step - i - j - 2 / 3], axis=1) / step
        positions.append(np.einsum("sk,fkc->fsc", weights, mesh.triangles[chosen]).reshape(-1, 3))
        owners.append(np.repeat(chosen, len(weights)))
    return np.concatenate(positions), np.concatenate(owners)


def closest_weights(
    triangles: Float[np.ndarray, "n 3 3"], points: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Barycentric weights of the point of each triangle that is closest to its point."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    inner = _plane_weights(a, b, c, points)
    best = np.where((inner >= 0).all(axis=1, keepdims=True), inner, np.nan)
    cost = np.where(np.isnan(best[:, 0]), np.inf, 0.0)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, edge = triangles[:, first], triangles[:, second] - triangles[:, first]
        length = np.einsum("ij,ij->i", edge, edge)
        along = np.einsum("ij,ij->i", points - start, edge) / np.where(length > 0, length, 1.0)
        along = along.clip(0.0, 1.0)
        gap = start + along[:, None] * edge - points
        distance = np.einsum("ij,ij->i", gap, gap)
        better = np.isnan(best[:, 0]) | ((cost > 0) & (distance < cost))
        weights = np.zeros_like(inner)
        weights[:, first], weights[:, second] = 1.0 - along, along
        best = np.where(better[:, None], weights, best)
        cost = np.where(better, distance, cost)
    return best


def _plane_weights(a: np.ndarray, b: np.ndarray, c: np.ndarray, points: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """Weights of the projection onto the triangle's plane; -1 for triangles without area."""
    normal = np.cross(b - a, c - a)
    scale = np.einsum("ij,ij->i", normal, normal)
    usable = scale > 1e-300
    scale = np.where(usable, scale, 1.0)
    u = np.einsum("ij,ij->i", np.cross(c - b, points - b), normal) / scale
    v = np.einsum("ij,ij->i", np.cross(a - c, points - c), normal) / scale
    return np.where(usable[:, None], np.stack([u, v, 1.0 - u - v], axis=1), -1.0)
