"""Edge collapses one by one: slower than the compiled simplifier, but they go on where it stops.

The compiled one never joins a border vertex to an inner one and never turns a face, so meshes of many thin or open
parts can leave it far above the number of faces that was asked for.
"""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Float, Int

from .edges import boundary_edges, directed_edges
from .mesh import Mesh, repeats_a_vertex

_BORDER_WEIGHT = 10.0
_SHORT_FIRST = 1e-6  # of the squared length: orders the edges of flat regions, where the quadric error is zero
_LEAST_COSINE = 0.1  # between a face's normals before and after a careful collapse


def collapse_edges(mesh: Mesh, faces: int) -> Mesh:
    """Collapse edges of least quadric error (Garland and Heckbert 1997) until at most `faces` are left.

    Careful at first: no face turns over and no sheets are joined (Dey et al. 1999, link condition). When that leads no
    further, all collapses are allowed; thin parts may then touch or vanish.
    """
    state = _Collapser(mesh)
    for careful in (True, False):
        state.run(faces, careful=careful)
        if state.count <= faces:
            break
    left = np.array(list(state.faces.values()), dtype=np.int64).reshape(-1, 3)
    kept = left[~repeats_a_vertex(left)] if len(left) else left
    return Mesh(state.positions, kept).submesh(np.arange(len(kept)))


class _Collapser:
    def __init__(self, mesh: Mesh) -> None:
        self.positions = mesh.vertices.copy()
        self.faces = dict(enumerate(mesh.faces.tolist()))
        self.quadrics = vertex_quadrics(mesh)
        self.faces_of: list[set[int]] = [set() for _ in range(len(mesh.vertices))]
        for number, corners in self.faces.items():
            for vertex in corners:
                self.faces_of[vertex].add(number)
        self.age = [0] * len(mesh.vertices)
        self.heap: list[tuple[float, int, int, int, int, tuple[float, float, float]]] = []

    @property
    def count(self) -> int:
        return len(self.faces)

    def run(self, target: int, *, careful: bool) -> None:
        """Collapse in the order of cost until `target` or until nothing is left to collapse."""
        self.heap = []
        corners = np.array(list(self.faces.values()), dtype=np.int64).reshape(-1, 3)
        self._push(np.unique(np.sort(directed_edges(corners), axis=1), axis=0))
        while self.count > target and self.heap:
            _, age_a, age_b, a, b, place = heapq.heappop(self.heap)
            if (age_a, age_b) != (self.age[a], self.age[b]):
                continue
            point = np.array(place)
            if careful and not (self._keeps_sheets_apart(a, b) and self._turns_no_face(a, b, point)):
                continue
            self._collapse(a, b, point)

    def _push(self, edges: Int[np.ndarray, "e 2"]) -> None:
        if len(edges) == 0:
            return
        costs, optimal = best_positions(self.positions, self.quadrics, edges)
        for (a, b), cost, place in zip(edges.tolist(), costs.tolist(), optimal.tolist(), strict=True):
            heapq.heappush(self.heap, (cost, self.age[a], self.age[b], a, b, tuple(place)))

    def _collapse(self, a: int, b: int, point: np.ndarray) -> None:
        for number in self.faces_of[a] & self.faces_of[b]:
            for vertex in self.faces.pop(number):
                self.faces_of[vertex].discard(number)
        for number in self.faces_of[b]:
            corners = self.faces[number]
            corners[corners.index(b)] = a
        self.faces_of[a] |= self.faces_of[b]
        self.faces_of[b] = set()
        self.positions[a] = point
        self.quadrics[a] += self.quadrics[b]
        self.age[a] += 1
        self.age[b] = -1
        self._push(np.array([sorted((a, other)) for other in self._neighbors(a)], dtype=np.int64).reshape(-1, 2))

    def _neighbors(self, vertex: int) -> set[int]:
        return {other for number in self.faces_of[vertex] for other in self.faces[number]} - {vertex}

    def _keeps_sheets_apart(self, a: int, b: int) -> bool:
        shared = self.faces_of[a] & self.faces_of[b]
        if not 1 <= len(shared) <= 2 or len(self.faces_of[a] | self.faces_of[b]) <= 4:
            return False
        around_a, around_b = self._neighbors(a), self._neighbors(b)
        if len(around_a & around_b) != len(shared):
            return False
        on_border = [len(around) != len(self.faces_of[v]) for v, around in ((a, around_a), (b, around_b))]
        return len(shared) == 1 or not all(on_border)

    def _turns_no_face(self, a: int, b: int, point: np.ndarray) -> bool:
        numbers = list(self.faces_of[a] ^ self.faces_of[b])
        if not numbers:
            return True
        corners = np.array([self.faces[number] for number in numbers])
        before = self.positions[corners]
        after = np.where(((corners == a) | (corners == b))[..., None], point, before)
        old, new = (np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]) for t in (before, after))
        dot = np.einsum("ij,ij->i", old, new)
        return bool((dot >= _LEAST_COSINE * np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)).all())


def vertex_quadrics(mesh: Mesh) -> Float[np.ndarray, "v 4 4"]:
    """For each vertex the squared distances to its faces' planes, weighted by area; planes hold the borders too."""
    normals = mesh.face_normals
    planes = np.concatenate([normals, -np.einsum("ij,ij->i", normals, mesh.triangles[:, 0])[:, None]], axis=1)
    owners, rows, weights = [mesh.faces.reshape(-1)], [np.repeat(planes, 3, axis=0)], [np.repeat(mesh.face_areas, 3)]
    open_edges = boundary_edges(mesh.faces, len(mesh.vertices))
    if open_edges.any():
        edges = directed_edges(mesh.faces)[open_edges]
        along = mesh.vertices[edges[:, 1]] - mesh.vertices[edges[:, 0]]
        upright = np.cross(along, np.repeat(normals, 3, axis=0)[open_edges])
        length = np.linalg.norm(upright, axis=1, keepdims=True)
        upright = upright / np.where(length > 0, length, 1.0)
        offset = -np.einsum("ij,ij->i", upright, mesh.vertices[edges[:, 0]])[:, None]
        owners.append(edges.reshape(-1))
        rows.append(np.repeat(np.concatenate([upright, offset], axis=1), 2, axis=0))
        weights.append(np.repeat(_BORDER_WEIGHT * np.einsum("ij,ij->i", along, along), 2))
    owner, row, weight = np.concatenate(owners), np.concatenate(rows), np.concatenate(weights)
    quadrics = np.zeros((len(mesh.vertices), 4, 4))
    np.add.at(quadrics, owner, weight[:, None, None] * row[:, :, None] * row[:, None, :])
    return quadrics


def best_positions(
    positions: Float[np.ndarray, "v 3"], quadrics: Float[np.ndarray, "v 4 4"], edges: Int[np.ndarray, "e 2"]
) -> tuple[Float[np.ndarray, " e"], Float[np.ndarray, "e 3"]]:
    """Cost of collapsing each edge and where its vertex goes: the least error among four places.

    The places are both ends, the middle, and the minimum of the quadric, held near the middle where it is flat.
    """
    a, b = positions[edges[:, 0]], positions[edges[:, 1]]
    quadric = quadrics[edges[:, 0]] + quadrics[edges[:, 1]]
    middle = 0.5 * (a + b)
    trace = np.einsum("eii->e", quadric[:, :3, :3])
    held = quadric[:, :3, :3] + (1e-4 * trace + 1e-30)[:, None, None] * np.eye(3)
    pull = -quadric[:, :3, 3] - np.einsum("eij,ej->ei", quadric[:, :3, :3], middle)
    minimum = middle + np.linalg.solve(held, pull[..., None])[..., 0]
    length = np.einsum("ij,ij->i", a - b, a - b)
    too_far = np.einsum("ij,ij->i", minimum - middle, minimum - middle) > 4 * length
    optimal = np.stack([np.where(too_far[:, None], middle, minimum), middle, a, b], axis=1)
    homogeneous = np.concatenate([optimal, np.ones((*optimal.shape[:2], 1))], axis=2)
    errors = np.einsum("eki,eij,ekj->ek", homogeneous, quadric, homogeneous)
    best = errors.argmin(axis=1)
    rows = np.arange(len(edges))
    return errors[rows, best] + _SHORT_FIRST * trace * length, optimal[rows, best]
