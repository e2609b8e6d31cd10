"""What a surface is made of: parts, holes, volume; always counted over distinct positions, so seams do not matter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..errors import InputError
from .edges import directed_edge_keys, directed_edges
from .mesh import Mesh


@dataclass(frozen=True)
class MeshReport:
    """Measures of a mesh; lengths are in world units.

    Attributes:
        watertight: whether every edge has two faces.
        components: number of connected parts.
        faces: number of faces.
        vertices: number of positions.
        euler_number: vertices - edges + faces.
        volume: signed; it means something for closed meshes only.
        area: of the surface.
        bounds: lower and upper corner.
    """

    watertight: bool
    components: int
    faces: int
    vertices: int
    euler_number: int
    volume: float
    area: float
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as stored in result.json."""
        return {**asdict(self), "bounds": [list(corner) for corner in self.bounds]}


def report(mesh: Mesh) -> MeshReport:
    """Measure `mesh`; vertices are counted as positions, the Euler number is V - E + F."""
    merged = mesh.merged()
    low, high = merged.bounds.tolist()
    return MeshReport(
        watertight=is_watertight(merged),
        components=_count_components(merged),
        faces=len(merged.faces),
        vertices=len(np.unique(merged.faces)),
        euler_number=euler_number(merged),
        volume=volume(merged),
        area=float(merged.face_areas.sum()),
        bounds=(tuple(low), tuple(high)),
    )


def is_watertight(mesh: Mesh) -> bool:
    """Whether each edge belongs to exactly two faces, which run along it in opposite directions."""
    faces = mesh.merged().faces
    if len(faces) == 0:
        return False
    start, end = directed_edges(faces).T
    low, high = np.minimum(start, end), np.maximum(start, end)
    keys = np.sort(2 * (low * len(mesh.vertices) + high) + (start > end))  # both directions of an edge, side by side
    one, other = keys[::2], keys[1::2]
    return len(one) == len(other) and bool(
        (one % 2 == 0).all() and (other == one + 1).all() and (np.diff(one) > 0).all()
    )


def volume(mesh: Mesh) -> float:
    """Enclosed volume by the divergence theorem; negative where the faces look inwards."""
    return float(signed_volumes(mesh).sum())


def signed_volumes(mesh: Mesh) -> Float[np.ndarray, " f"]:
    """Volume between each face and the middle of the mesh's box; negative where the face looks towards it."""
    a, b, c = mesh.faces.T
    x, y, z = (mesh.vertices - mesh.bounds.mean(axis=0)).T.copy()
    along = x[a] * (y[b] * z[c] - z[b] * y[c])
    along += y[a] * (z[b] * x[c] - x[b] * z[c])
    along += z[a] * (x[b] * y[c] - y[b] * x[c])
    return along / 6.0


def euler_number(mesh: Mesh) -> int:
    """V - E + F over distinct positions: 2 for a sphere, 0 for a torus, added up over the parts."""
    faces = mesh.merged().faces
    edges = np.minimum(*directed_edge_keys(faces, len(mesh.vertices)))
    return len(np.unique(faces)) - len(np.unique(edges)) + len(faces)


def components(mesh: Mesh) -> list[Mesh]:
    """The connected parts, largest area first; texture seams do not separate parts."""
    labels = face_labels(mesh)
    parts = [mesh.submesh(labels == label) for label in range(labels.max() + 1)] if len(labels) else []
    return sorted(parts, key=lambda part: -float(part.face_areas.sum()))


def largest(mesh: Mesh, n: int = 1, *, min_share: float = 0.0) -> Mesh:
    """Only the `n` parts of largest area, and of those only parts with at least `min_share` of the largest one's area.

    Raises:
        InputError: the mesh has no faces, or `n` or `min_share` is out of range.
    """
    if n < 1 or not 0.0 <= min_share <= 1.0:
        raise InputError(f"Cannot keep n={n} parts of share {min_share}; use n of 1 or more and a share in 0..1.")
    labels = face_labels(mesh)
    if len(labels) == 0:
        raise InputError("The mesh has no faces, so it has no largest part.")
    if n > labels.max() and min_share == 0.0:
        return mesh
    areas = np.bincount(labels, weights=mesh.face_areas)
    order = np.argsort(-areas, kind="stable")[:n]
    kept = order[areas[order] >= min_share * areas[order[0]]]
    return mesh.submesh(np.isin(labels, kept))


def face_labels(mesh: Mesh) -> Int[np.ndarray, " f"]:
    """For each face, the number of its connected part (parts that share a position are connected)."""
    index = mesh.merged_index
    if len(mesh.faces) == 0:
        return np.zeros(0, np.int64)
    one, two, three = index[mesh.faces].T
    count = int(index.max()) + 1
    rows, columns = np.concatenate([one, two]), np.concatenate([two, three])  # the third side adds nothing
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    used = np.zeros(labels.max() + 1, np.int64)
    used[labels[one]] = 1
    return (np.cumsum(used) - 1)[labels[one]]


def _count_components(mesh: Mesh) -> int:
    labels = face_labels(mesh)
    return int(labels.max()) + 1 if len(labels) else 0
