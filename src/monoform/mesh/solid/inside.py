"""Inside and outside of meshes as artists make them: overlapping and nested shells, holes, open sheets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .. import Mesh, sample_surface
from ..closest import closest_weights
from ..raycast import caster_of
from .openings import close_openings
from .voxels import VoxelGrid, grown, voxelize

_NEIGHBORS = 3  # nearest samples whose faces are tried
_CLEAR = 0.45  # cells: what is nearer to the surface than this may lie in a flooded cell although it is inside
_VOTES = 2  # lines to the outside that a point needs: the ray caster lets one in some thousands through an edge
_REACH = (0.75, 1.25, 1.75, 2.5, 3.5)  # where along a ray a free cell is looked for, in cells
_DIRECTIONS = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], float)
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
# Turned, so that they run along no edge of what stands straight in the world.
_DIRECTIONS = _DIRECTIONS @ Rotation.from_rotvec([0.31, 0.47, 0.23]).as_matrix().T


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points of the outer surface.

    Attributes:
        points: positions.
        normals: unit vectors that point outside.
        faces: index of the triangle of each point.
        barycentric: weights of the triangle's corners.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]


class Solid:
    """A mesh as a solid: what cannot be reached from outside is inside, whatever surfaces lie within.

    Free cells of a fine grid are flooded from outside; cells in front of the missing side of an otherwise wrapped
    region are closed by their winding number (`close_openings`). In cells that the surface crosses, a point is outside
    if some straight line leads from it to a flooded cell without meeting the surface. Where both sides of the surface
    are outside it is an open sheet and gets a thickness of `sheet` cells. Gaps narrower than about two cells count as
    inside.

    Args:
        mesh: any triangles; orientation matters only for closing openings.
        size: side of a cell in world units.
        sheet: thickness of open sheets, in cells.

    Raises:
        InputError: the mesh has no faces, or too many cells would be needed.
    """

    def __init__(self, mesh: Mesh, *, size: float = 1 / 160, sheet: float = 1.0) -> None:
        self.mesh = mesh
        self.sheet_half_thickness = 0.5 * sheet * size
        grid, samples, faces = voxelize(mesh, size=size)
        closed = close_openings(mesh, grid)
        self.grid = VoxelGrid(grid.origin, grid.size, grid.surface, grid.outside & ~closed)
        self._caps = _caps(self.grid, closed)
        self._near_outside = grown(self.grid.outside, corners=True)
        outer = self.grid.look_up(self._near_outside, samples)
        self._samples, self._faces = samples[outer], faces[outer]

    @cached_property
    def _tree(self) -> tuple[cKDTree, Int[np.ndarray, " s"]]:
        """Samples of the outer surface with their faces; closed openings follow with face -1."""
        faces = np.concatenate([self._faces, np.full(len(self._caps), -1)])
        points = np.concatenate([self._samples, self._caps])
        return cKDTree(points, balanced_tree=False, compact_nodes=False), faces

    def contains(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Whether each point is inside, open sheets with their thickness included."""
        return self.signed_distance(points) < 0

    def signed_distance(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Distance to the outer surface, negative inside; exact up to the spacing of the samples (half a cell)."""
        closest, normals = self._closest(points)
        away = points - closest
        distance = np.linalg.norm(away, axis=1)
        away = np.where(distance[:, None] > 1e-9, away / np.maximum(distance, 1e-9)[:, None], normals)
        outside = self._outside(points, away, distance)
        signed = np.where(outside, distance, -distance)
        near = np.flatnonzero(outside & (normals != 0).any(axis=1))
        sheet = near[self._is_sheet(closest[near], normals[near])]
        signed[sheet] -= self.sheet_half_thickness
        return signed

    def surface(self, count: int, *, seed: int) -> SurfacePoints:
        """Points uniform by area over the outer surface; both sides of an open sheet are one surface.

        Raises:
            InputError: the mesh has no area.
        """
        found: list[SurfacePoints] = []
        missing, attempt = count, 0
        while missing > 0 and attempt < 6:
            asked = min(max(2 * missing, 256), 8 * count) * (1 + 3 * (attempt > 2))
            points, faces, weights = sample_surface(self.mesh, asked, seed=seed + 7919 * attempt)
            outer = np.flatnonzero(self.grid.look_up(self._near_outside, points))
            outer = np.sort(np.random.default_rng(seed + attempt).permutation(outer)[:missing])
            normals = self._oriented(points[outer], self.mesh.face_normals[faces[outer]])
            found.append(SurfacePoints(points[outer], normals, faces[outer], weights[outer]))
            missing, attempt = missing - len(outer), attempt + 1
        columns = [
            np.concatenate([getattr(part, name) for part in found])
            for name in ("points", "normals", "faces", "barycentric")
        ]
        chosen = np.arange(count) % max(len(columns[0]), 1)
        return SurfacePoints(*(column[chosen] for column in columns))

    def _closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Closest points of the outer surface and the normals of their faces (0 on a closed opening)."""
        tree, faces = self._tree
        count = min(_NEIGHBORS, tree.n)
        index = tree.query(points, k=count)[1].reshape(len(points), count)
        closest, face = tree.data[index[:, 0]], faces[index[:, 0]]
        least = np.full(len(points), np.inf)
        least[face < 0] = np.linalg.norm(closest - points, axis=1)[face < 0]
        for column in range(count):
            tried = faces[index[:, column]]
            fresh = np.flatnonzero((tried >= 0) & (faces[index[:, :column]] != tried[:, None]).all(axis=1))
            triangles = self.mesh.triangles[tried[fresh]]
            exact = np.einsum("nk,nkc->nc", closest_weights(triangles, points[fresh]), triangles)
            distance = np.linalg.norm(exact - points[fresh], axis=1)
            better = distance < least[fresh]
            chosen = fresh[better]
            closest[chosen], face[chosen], least[chosen] = exact[better], tried[chosen], distance[better]
        return closest, np.where(face[:, None] >= 0, self.mesh.face_normals[face], 0.0)

    def _outside(self, points: np.ndarray, away: np.ndarray, distance: np.ndarray) -> Bool[np.ndarray, " n"]:
        outside = self.grid.look_up(self.grid.outside, points)
        crossed = self.grid.look_up(self.grid.surface & self._near_outside, points)
        crossed |= outside & (distance < _CLEAR * self.grid.size)
        outside[crossed] = False
        open_question = np.flatnonzero(crossed)
        votes = _VOTES * self._sees_outside(points[open_question], away[open_question])
        for direction in _DIRECTIONS:
            left = np.flatnonzero(votes < _VOTES)
            if len(left) == 0:
                break
            positions = points[open_question[left]]
            votes[left] += self._sees_outside(positions, np.broadcast_to(direction, positions.shape))
        outside[open_question] = votes >= _VOTES
        return outside

    def _sees_outside(self, points: np.ndarray, directions: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Whether a flooded place, clear of the surface, lies on each ray within a few cells and before the surface."""
        size, reaches = self.grid.size, np.array(_REACH)
        ahead = np.stack(
            [self.grid.look_up(self.grid.outside, points + reach * size * directions) for reach in reaches], axis=1
        )
        hopeful = np.flatnonzero(ahead.any(axis=1))  # most rays never come near a flooded cell: spare their casts
        seen = np.zeros(len(points), bool)
        if len(hopeful) == 0:
            return seen
        t = caster_of(self.mesh).cast(points[hopeful], directions[hopeful]).t
        ahead[hopeful] &= t[:, None] > size * reaches
        for column in np.argsort(-reaches):
            tried = hopeful[ahead[hopeful, column] & ~seen[hopeful]]
            positions = points[tried] + reaches[column] * size * directions[tried]
            seen[tried] = ~np.isfinite(self._tree[0].query(positions, distance_upper_bound=_CLEAR * size)[0])
        return seen

    def _is_sheet(self, points: np.ndarray, normals: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Whether both sides of the surface are outside at these points of it."""
        lift = 1e-4 * self.grid.size
        sheet = self._sees_outside(points + lift * normals, normals)
        front = np.flatnonzero(sheet)
        sheet[front] = self._sees_outside(points[front] - lift * normals[front], -normals[front])
        return sheet

    def _oriented(self, points: np.ndarray, normals: np.ndarray) -> Float[np.ndarray, "n 3"]:
        """Normals turned to the side that is outside; as they are where both or none is."""
        lift = 1e-4 * self.grid.size
        front = self._sees_outside(points + lift * normals, normals)
        hidden = np.flatnonzero(~front)
        back = self._sees_outside(points[hidden] - lift * normals[hidden], -normals[hidden])
        oriented = normals.copy()
        oriented[hidden[back]] *= -1
        return oriented


def _caps(grid: VoxelGrid, closed: Bool[np.ndarray, "x y z"]) -> Float[np.ndarray, "n 3"]:
    """Centres of the cell faces between what was closed and what is outside."""
    found = [np.zeros((0, 3))]
    if closed.any():
        for axis in range(3):
            for step in (1, -1):
                neighbor = np.roll(grid.outside, -step, axis=axis)
                offset = np.zeros(3)
                offset[axis] = 0.5 * step * grid.size
                found.append(grid.centers(closed & neighbor) + offset)
    return np.concatenate(found)
