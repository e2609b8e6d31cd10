"""Surfaces that touch themselves, taken apart so that every edge has two faces again.

Edge collapses can bring two sheets of a thin part together: an edge then has four faces, or a vertex two fans.
The surface is cut at such places and each pair of faces that bounds the same piece of solid is stitched
(Gueziec et al. 2001, "Cutting and stitching"). A closed, consistently oriented surface stays closed: collapses keep
the number of faces that run along an edge one way equal to the number that run the other way, so all can be paired.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .edges import directed_edge_keys
from .mesh import Mesh, repeats_a_vertex

_GAP = 1e-5  # distance between copies of a vertex, as a share of the mesh's diagonal: survives float32 files
_ROUNDS = 20


def separate_touching_sheets(mesh: Mesh) -> Mesh:
    """The same surface with at most two faces at each edge and one fan at each vertex.

    Collapsed faces and pairs of identical faces with opposite orientation are dropped. Vertices are duplicated where
    sheets touch, and the copies move apart by a hundred-thousandth of the mesh's size, so that they stay separate when
    vertices are merged by position. Colours, texture and attributes are dropped.
    """
    vertices, faces = mesh.vertices, mesh.faces[~repeats_a_vertex(mesh.faces)]
    gap = _GAP * float(np.linalg.norm(mesh.bounds[1] - mesh.bounds[0]))
    for _ in range(_ROUNDS):
        faces = without_opposite_twins(faces)
        if len(faces) == 0:
            return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
        stitched = _stitched_edges(vertices, faces)
        vertices, faces = _with_fans_apart(vertices, faces, stitched, gap)
        doubled = _doubled_edges(faces, stitched)
        if len(doubled) == 0:
            break
        vertices, faces = _split_edges(vertices, faces, doubled, gap)
    return Mesh(vertices, faces)


def _with_fans_apart(vertices: np.ndarray, faces: np.ndarray, stitched: np.ndarray, gap: float) -> tuple:
    """One vertex for each fan of faces that hangs together over stitched edges."""
    edge, partner = stitched.T
    edge_end, partner_end = (3 * (e // 3) + (e + 1) % 3 for e in (edge, partner))
    # Stitched edges run in opposite directions: the start of one is the end of the other.
    rows, columns = np.concatenate([edge, edge_end]), np.concatenate([partner_end, partner])
    count = 3 * len(faces)
    graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    old_vertex = faces.reshape(-1)[first]
    new_faces = labels.reshape(-1, 3).astype(np.int64)
    return _moved_apart(vertices[old_vertex], new_faces, old_vertex, gap), new_faces


def without_opposite_twins(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "n 3"]:
    """Drop pairs of faces on the same three vertices that look opposite ways."""
    if len(faces) == 0:
        return faces
    first = np.argmin(faces, axis=1)
    turned = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
    sign = np.where(turned[:, 1] < turned[:, 2], 1, -1)
    _, group = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    net = np.bincount(group, weights=sign)
    surplus = np.sign(net)[group] == sign
    rank = _rank_within(np.where(surplus, group, -1))
    return faces[surplus & (rank < np.abs(net)[group])]


def _rank_within(group: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each element, how many elements of its group come before it."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    start = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    position = np.arange(len(group))
    rank = np.empty(len(group), np.int64)
    rank[order] = position - np.maximum.accumulate(np.where(start, position, 0))
    return rank


def _stitched_edges(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "n 2"]:
    """Pairs of directed edges (3 * face + corner where the edge starts) over which two faces hang together."""
    forward, backward = directed_edge_keys(faces, len(vertices))
    undirected = np.minimum(forward, backward)
    order = np.argsort(undirected, kind="stable")
    _, starts, counts = np.unique(undirected[order], return_index=True, return_counts=True)
    first, second = order[starts[counts == 2]], order[starts[counts == 2] + 1]
    simple = forward[first] == backward[second]
    pairs = [np.stack([first[simple], second[simple]], axis=1)]
    crowded = counts > 2
    for start, count in zip(starts[crowded], counts[crowded], strict=True):
        pairs.append(_pair_around_edge(vertices, faces, order[start : start + count], forward))
    return np.concatenate(pairs)


def _pair_around_edge(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    edges: Int[np.ndarray, " n"],
    forward: Int[np.ndarray, " e"],
) -> Int[np.ndarray, "m 2"]:
    """Pair the faces around one edge so that each pair bounds one wedge of solid, like brackets around a circle."""
    ascending = forward[edges] == forward[edges].min()
    face, corner = edges[ascending][0] // 3, edges[ascending][0] % 3
    a, b = faces[face, corner], faces[face, (corner + 1) % 3]
    opposite = vertices[faces[edges // 3, (edges + 2) % 3]] - vertices[a]
    axis = vertices[b] - vertices[a]
    axis = axis / max(float(np.linalg.norm(axis)), 1e-300)
    side = np.eye(3)[np.argmin(np.abs(axis))]
    x = np.cross(axis, side)
    y = np.cross(axis, x)
    angle = np.arctan2(opposite @ y, opposite @ x)
    # Seen along the edge, solid begins after a face that runs backward and ends at one that runs forward.
    ring = np.lexsort((ascending, angle))
    waiting: list[int] = []
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for position in np.concatenate([ring, ring]).tolist():
        if position in taken:
            continue
        if not ascending[position]:
            if position not in waiting:
                waiting.append(position)
        elif waiting:
            other = waiting.pop()
            pairs.append((int(edges[position]), int(edges[other])))
            taken.update((position, other))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _doubled_edges(faces: Int[np.ndarray, "f 3"], stitched: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "m 2"]:
    """All but one of the stitched edges that join the same two vertices; at most one for each face."""
    starts, ends = faces.reshape(-1)[stitched[:, 0]], np.roll(faces, -1, axis=1).reshape(-1)[stitched[:, 0]]
    keys = np.minimum(starts, ends) * (faces.max() + 1) + np.maximum(starts, ends)
    busy: set[int] = set()
    chosen = []
    for edge, partner in stitched[_rank_within(keys) > 0].tolist():
        if edge // 3 not in busy and partner // 3 not in busy:
            busy.update((edge // 3, partner // 3))
            chosen.append((edge, partner))
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


def _split_edges(vertices: np.ndarray, faces: np.ndarray, stitched: np.ndarray, gap: float) -> tuple:
    """Put a vertex in the middle of each stitched edge: its two faces become four."""
    edge, partner = stitched.T
    a, b = faces[edge // 3, edge % 3], faces[edge // 3, (edge + 1) % 3]
    tips = [faces[e // 3, (e + 2) % 3] for e in (edge, partner)]
    middle = 0.5 * (vertices[a] + vertices[b])
    pull = 0.5 * (vertices[tips[0]] + vertices[tips[1]]) - middle
    middle = middle + gap * pull / np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), 1e-12)
    new = len(vertices) + np.arange(len(stitched))
    faces = faces.copy()
    extra = []
    for e in (edge, partner):
        end = faces[e // 3, (e + 1) % 3].copy()
        faces[e // 3, (e + 1) % 3] = new
        extra.append(np.stack([new, end, faces[e // 3, (e + 2) % 3]], axis=1))
    return np.concatenate([vertices, middle]), np.concatenate([faces, *extra])


def _moved_apart(
    positions: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    old_vertex: Int[np.ndarray, " v"],
    gap: float,
) -> Float[np.ndarray, "v 3"]:
    """Copies of a vertex shifted a little towards their own faces."""
    copy = _rank_within(old_vertex)
    split: Bool[np.ndarray, " v"] = np.bincount(old_vertex)[old_vertex] > 1
    if not split.any():
        return positions
    sums = np.zeros_like(positions)
    np.add.at(sums, faces, positions[faces].mean(axis=1)[:, None])
    valence = np.bincount(faces.reshape(-1), minlength=len(positions))[:, None]
    inward = sums / valence - positions
    length = np.linalg.norm(inward, axis=1, keepdims=True)
    inward = np.where(length > 1e-12, inward / np.maximum(length, 1e-12), [0.0, 1.0, 0.0])
    step = np.where(split, gap * (1 + copy), 0.0)[:, None]
    return positions + step * inward
