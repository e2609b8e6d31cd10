"""Finer triangles on the same surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from .. import Mesh

_MOST_FACES = 150_000


def subdivided(mesh: Mesh, *, longest: float) -> Mesh:
    """The same surface with no edge longer than `longest`, as far as 150,000 faces allow; its topology stays.

    Each round halves every edge that is too long, in both faces that share it, so no gaps open.
    """
    while len(mesh.faces):
        split = _too_long(mesh, longest)
        if not split.any() or len(mesh.faces) + int(split.sum()) > _MOST_FACES:
            break
        mesh = _halved(mesh, split)
    return mesh


def _too_long(mesh: Mesh, longest: float) -> Bool[np.ndarray, "f 3"]:
    """Which edges (from corner i to corner i + 1) are to be halved."""
    edges = np.roll(mesh.triangles, -1, axis=1) - mesh.triangles
    return np.linalg.norm(edges, axis=2) > longest


def _halved(mesh: Mesh, split: Bool[np.ndarray, "f 3"]) -> Mesh:
    pairs = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=-1), axis=-1)
    keys = pairs[..., 0] * len(mesh.vertices) + pairs[..., 1]
    chosen, index = np.unique(keys[split], return_inverse=True)
    a, b = chosen // len(mesh.vertices), chosen % len(mesh.vertices)
    middle = np.full(split.shape, -1, np.int64)
    middle[split] = len(mesh.vertices) + index.reshape(-1)

    def extended(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        # Halves of the sum: the same whichever end comes first, so both sides of a seam get one position.
        between = 0.5 * (values[a].astype(np.float64) + values[b])
        return np.concatenate([values, between.astype(values.dtype)])

    vertices = extended(mesh.vertices)
    assert vertices is not None
    return replace(
        mesh,
        vertices=vertices,
        faces=_faces(mesh.faces, middle),
        uv=extended(mesh.uv),
        vertex_colors=extended(mesh.vertex_colors),
        vertex_attributes={},
    )


def _faces(faces: Int[np.ndarray, "f 3"], middle: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "g 3"]:
    """Each face cut at the middles of its edges: into two, three or four."""
    count = (middle >= 0).sum(axis=1)
    result = [faces[count == 0]]
    for halved in (1, 2):
        chosen = np.flatnonzero(count == halved)
        # Turned so that the one halved edge, or the one whole edge, comes first.
        first = (middle[chosen] >= 0).argmax(axis=1) if halved == 1 else (middle[chosen] < 0).argmax(axis=1)
        turn = (first[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(faces[chosen], turn, axis=1).T
        ab, bc, ca = np.take_along_axis(middle[chosen], turn, axis=1).T
        if halved == 1:
            result += [np.stack([a, ab, c], axis=1), np.stack([ab, b, c], axis=1)]
        else:
            result += [np.stack(corners, axis=1) for corners in ((a, b, bc), (a, bc, ca), (ca, bc, c))]
    a, b, c = faces[count == 3].T
    ab, bc, ca = middle[count == 3].T
    result += [np.stack(corners, axis=1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate(result)
