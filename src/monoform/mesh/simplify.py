"""Fewer triangles for the same shape."""

from __future__ import annotations

import fast_simplification
import numpy as np
import scipy  # whose parts load when they are used

from ..errors import InputError
from .collapse import collapse_edges
from .edges import directed_edge_keys
from .manifold import separate_touching_sheets
from .mesh import Mesh, repeats_a_vertex
from .topology import is_watertight, volume

_AGGRESSIVENESS = (3.0, 7.0, 9.0)
_ROUNDS = 6
_ONE_BY_ONE = 100_000  # faces above which single collapses would take too long


def simplify(mesh: Mesh, faces: int) -> Mesh:
    """Collapse edges of least quadric error (Garland and Heckbert 1997) down to about `faces` triangles.

    A mesh that already has no more triangles is returned as it is. Otherwise the count is met within 1 percent
    (within 2 triangles for small counts) unless the shape has too many parts for it; a watertight mesh stays
    watertight and an edge-manifold one edge-manifold. Texture and its coordinates are dropped, since they do not
    survive collapses (`bake.from_mesh` brings the colours back); vertex colours and attributes are taken from the
    nearest old vertex.

    Raises:
        InputError: `faces` is less than 4, or the mesh has no faces.
    """
    if faces < 4:
        raise InputError(f"A mesh cannot be simplified to {faces} faces; ask for at least 4.")
    if len(mesh.faces) == 0:
        raise InputError("The mesh has no faces to simplify.")
    if len(mesh.faces) <= faces:
        return mesh
    welded = mesh.merged()
    result = welded if len(welded.faces) <= faces else _best_attempt(welded, faces)
    return _with_vertex_data(result, welded)


def _best_attempt(welded: Mesh, faces: int) -> Mesh:
    closed = is_watertight(welded)
    manifold = closed or _is_edge_manifold(welded)
    tolerance = max(2, faces // 100)
    best = None
    for aggressiveness in _AGGRESSIVENESS:
        result = _towards(welded, faces, tolerance, aggressiveness, manifold)
        if len(result.faces) == 0 or (closed and not _same_solid(result, welded)):
            continue
        error = abs(len(result.faces) - faces)
        if best is None or error < abs(len(best.faces) - faces):
            best = result
        if error <= tolerance:
            return result
    best = welded if best is None else best
    return _finish(best, faces, tolerance, manifold, closed) if len(best.faces) <= _ONE_BY_ONE else best


def _finish(start: Mesh, faces: int, tolerance: int, manifold: bool, closed: bool) -> Mesh:
    """Go on from `start` by single collapses where the compiled simplifier stopped."""
    best, target = start, faces
    for _ in range(3):
        result = _repaired(collapse_edges(start, target), manifold)
        if len(result.faces) == 0 or (closed and not _same_solid(result, start)):
            break
        if abs(len(result.faces) - faces) < abs(len(best.faces) - faces):
            best = result
        if abs(len(result.faces) - faces) <= tolerance:
            break
        target += faces - len(result.faces)
    return best


def _towards(welded: Mesh, faces: int, tolerance: int, aggressiveness: float, manifold: bool) -> Mesh:
    """Collapse, take touching sheets apart, and correct the target by what came out."""
    source, target = welded, faces
    result = welded
    for _ in range(_ROUNDS):
        before = len(result.faces)
        result = _collapse(source, min(target, len(source.faces)), aggressiveness, manifold)
        excess = len(result.faces) - faces
        stuck = excess > 0 and len(result.faces) > 0.95 * before
        if abs(excess) <= tolerance or stuck:
            break
        if excess > 0:
            source, target = result, faces
        else:
            target = min(target - excess, len(source.faces))
    return result


def _collapse(source: Mesh, target: int, aggressiveness: float, manifold: bool) -> Mesh:
    vertices, faces = fast_simplification.simplify(
        source.vertices, source.faces.astype(np.int32), target_count=target, agg=aggressiveness
    )
    faces = np.asarray(faces, dtype=np.int64)
    return _repaired(Mesh(np.asarray(vertices, dtype=np.float64), faces[~repeats_a_vertex(faces)]), manifold)


def _repaired(result: Mesh, manifold: bool) -> Mesh:
    """Touching sheets taken apart where the input had none, unused vertices dropped."""
    if manifold and (not _is_edge_manifold(result.merged()) or len(result.merged().vertices) != len(result.vertices)):
        return separate_touching_sheets(result.merged())
    return result.submesh(np.arange(len(result.faces)))


def _is_edge_manifold(mesh: Mesh) -> bool:
    """No directed edge occurs twice: at most two faces at each edge, consistently oriented."""
    forward = np.sort(directed_edge_keys(mesh.faces, len(mesh.vertices))[0])
    return bool((forward[1:] != forward[:-1]).all())


def _same_solid(result: Mesh, source: Mesh) -> bool:
    return is_watertight(result) and volume(result) * volume(source) >= 0


def _with_vertex_data(result: Mesh, source: Mesh) -> Mesh:
    if result is source or (source.vertex_colors is None and not source.vertex_attributes):
        return result
    nearest = scipy.spatial.cKDTree(source.vertices).query(result.vertices)[1]
    return Mesh(
        result.vertices,
        result.faces,
        vertex_colors=None if source.vertex_colors is None else source.vertex_colors[nearest],
        vertex_attributes={name: values[nearest] for name, values in source.vertex_attributes.items()},
    )
