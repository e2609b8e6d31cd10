"""Where rays meet a mesh: Embree where it is installed, plain numpy otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import InputError
from .mesh import Mesh

try:
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    HAS_EMBREE = True
except ImportError:  # no wheel for this machine: the plain twin serves
    HAS_EMBREE = False

Backend = Literal["auto", "embree", "plain"]
_PAIRS_AT_ONCE = 1 << 21
_RAYS_AT_ONCE = 1 << 14  # small enough for the processor's cache
_CLOSE = 16.0  # distance in radii of the mesh from which float32 is too coarse for origins
_REACH = 1.01  # radius of the sphere at which rays start, in radii of the mesh


@dataclass(frozen=True, eq=False)
class Hits:
    """The first meeting of each ray with the mesh.

    Attributes:
        hit: whether there is one.
        t: distance along the ray in units of its direction's length, inf where there is none.
        face: index, -1 where there is none.
        barycentric: weights of the face's three corners, adding up to 1; 0 where there is none.
    """

    hit: Bool[np.ndarray, " n"]
    t: Float[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]

    def interpolate(self, mesh: Mesh, values: Float[np.ndarray, "v c"]) -> Float[np.ndarray, "n c"]:
        """Values given at vertices, interpolated at the meeting points; 0 where there is none."""
        return np.einsum("nk,nkc->nc", self.barycentric, values[mesh.faces[self.face]])


class RayCaster:
    """Casts rays at one mesh; both sides of each face count.

    The face is found in float32 on a mesh moved to the origin and scaled to unit size; distance and barycentric
    weights are then computed in float64.

    Raises:
        InputError: the mesh has no faces, or "embree" is asked for but not installed.
    """

    def __init__(self, mesh: Mesh, *, backend: Backend = "auto") -> None:
        if len(mesh.faces) == 0:
            raise InputError("Rays cannot be cast at a mesh without faces.")
        if backend == "embree" and not HAS_EMBREE:
            raise InputError(
                "The embree ray caster is not installed; run `pip install embreex` or use backend='plain'."
            )
        self.mesh = mesh
        self.backend = "embree" if backend != "plain" and HAS_EMBREE else "plain"
        low, high = mesh.bounds
        self._center = 0.5 * (low + high)
        self._scale = 1.0 / max(0.5 * float(np.linalg.norm(high - low)), 1e-30)
        self._triangles = (mesh.triangles - self._center) * self._scale
        self._planes = _face_planes(self._triangles)
        self._tree = _EmbreeTree(self._triangles) if self.backend == "embree" else None

    def cast(self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]) -> Hits:
        """The first hit of each ray at a distance greater than 0. Directions need not have unit length."""
        origins, directions = np.asarray(origins, np.float64), np.asarray(directions, np.float64)
        count = len(origins)
        hits = Hits(np.zeros(count, bool), np.full(count, np.inf), np.full(count, -1, np.int64), np.zeros((count, 3)))
        for start in range(0, count, _RAYS_AT_ONCE):
            part = slice(start, start + _RAYS_AT_ONCE)
            self._cast_part(origins[part], directions[part], hits, start)
        return hits

    def _cast_part(self, origins: np.ndarray, directions: np.ndarray, hits: Hits, offset: int) -> None:
        starts, units, advanced, speed, near = self._entries(origins, directions)
        face = self._tree.cast(starts, units) if self._tree else _cast_plain(self._triangles, starts, units)
        found = face >= 0
        ray, face = offset + near[found], face[found]
        distance, weights = _meet(self._planes[face], starts[found], units[found])
        hits.hit[ray] = True
        hits.face[ray] = face
        hits.t[ray] = (distance + advanced[found]) / speed[found]
        hits.barycentric[ray] = weights

    def occluded(
        self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether each ray meets the mesh at all."""
        return self.cast(origins, directions).hit

    def _entries(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rays that meet the unit sphere around the mesh, moved forward to just before it unless they start close by.

        Returns starts and unit directions in the scaled frame, the distance moved, the scaled length of one unit of t,
        and the rays' numbers.
        """
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            local = (origins - self._center) * self._scale
            length = np.sqrt(np.einsum("ij,ij->i", directions, directions))
            units = directions / length[:, None]
            if len(local) and np.abs(local).max() < _CLOSE and length.min() > 0 and length.max() < np.inf:
                return local, units, np.zeros(len(local)), length * self._scale, np.arange(len(local))
            closest = -np.einsum("ij,ij->i", local, units)
            gap = local + closest[:, None] * units  # squared after the subtraction, which keeps far origins exact
            reach = _REACH**2 - np.einsum("ij,ij->i", gap, gap)
            usable = (
                (reach >= 0) & (closest + np.sqrt(np.maximum(reach, 0.0)) >= 0) & (length > 0) & np.isfinite(length)
            )
        near = np.flatnonzero(usable)
        units = units[near]
        advanced = np.maximum(closest[near] - np.sqrt(reach[near]), 0.0)
        return local[near] + advanced[:, None] * units, units, advanced, length[near] * self._scale, near


class _EmbreeTree:
    def __init__(self, triangles: Float[np.ndarray, "f 3 3"]) -> None:
        self._scene = rtcore_scene.EmbreeScene()
        self._geometry = TriangleMesh(self._scene, np.ascontiguousarray(triangles, dtype=np.float32))

    def cast(self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
        if len(origins) == 0:
            return np.zeros(0, np.int64)
        starts, units = np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32)
        return np.asarray(self._scene.run(starts, units), dtype=np.int64)


def _cast_plain(
    triangles: Float[np.ndarray, "f 3 3"], origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]
) -> Int[np.ndarray, " n"]:
    """Every ray against every face (Moeller and Trumbore 1997), a block of rays at a time."""
    face = np.full(len(origins), -1, np.int64)
    block = max(1, _PAIRS_AT_ONCE // len(triangles))
    for start in range(0, len(origins), block):
        rays = slice(start, start + block)
        t = _distances(triangles, origins[rays], directions[rays])
        nearest = np.argmin(t, axis=1)
        face[rays] = np.where(np.isfinite(t[np.arange(len(t)), nearest]), nearest, -1)
    return face


def _distances(triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Float[np.ndarray, "n f"]:
    """Distance of every ray to every face, inf where they miss."""
    corner, edge1, edge2 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(edge1, edge2)
    across = directions @ normal.T
    height = np.einsum("fi,fi->f", corner, normal) - origins @ normal.T
    moment = np.cross(origins, directions)
    # Scalar triple products, split so that each is one matrix product over rays and faces.
    u = moment @ edge2.T - directions @ np.cross(edge2, corner).T
    v = directions @ np.cross(edge1, corner).T - moment @ edge1.T
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v, t = -u / across, -v / across, height / across
        inside = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t > 0) & (across != 0)
    return np.where(inside, t, np.inf)


def _face_planes(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3 4"]:
    """Three planes for each face: its own, and two whose heights are the weights of its second and third corner."""
    edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(edge1, edge2)
    square = np.einsum("ij,ij->i", normal, normal)[:, None]
    square = np.where(square > 1e-300, square, 1.0)
    rows = np.stack([normal, np.cross(edge2, normal) / square, np.cross(normal, edge1) / square], axis=1)
    offsets = -np.einsum("fki,fi->fk", rows, triangles[:, 0])
    return np.concatenate([rows, offsets[..., None]], axis=2)


def _meet(
    planes: Float[np.ndarray, "n 3 4"], origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Distance and barycentric weights of each ray on its own face, clamped into the face."""
    height = np.einsum("ni,ni->n", planes[:, 0, :3], origins) + planes[:, 0, 3]
    across = np.einsum("ni,ni->n", planes[:, 0, :3], directions)
    distance = -height / np.where(across != 0, across, np.inf)
    points = origins + distance[:, None] * directions
    inner = np.einsum("nki,ni->nk", planes[:, 1:, :3], points) + planes[:, 1:, 3]
    weights = np.empty((len(points), 3))
    weights[:, 0] = 1.0 - inner.sum(axis=1)
    weights[:, 1:] = inner
    if weights.size and weights.min() < 0:  # the face was found in float32, so the point may lie just beside it
        weights = weights.clip(0.0, None)
        weights /= weights.sum(axis=1, keepdims=True)
    return distance, weights


def caster_of(mesh: Mesh) -> RayCaster:
    """The mesh's own ray caster, built at the first call and kept with the mesh."""
    caster = mesh.__dict__.get("_caster")
    if caster is None:
        caster = mesh.__dict__["_caster"] = RayCaster(mesh)
    return caster
