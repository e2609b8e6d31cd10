"""The atlas of last resort: flat views of the surface from six sides, packed on shelves. It always works."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .edges import adjacent_faces
from .mesh import Mesh
from .packing import pack
from .raster import cover

_ROUNDS = 12


def box_atlas(mesh: Mesh, *, resolution: int = 1024) -> Mesh:
    """Give `mesh` texture coordinates without overlap, in a time that grows with its size only.

    Neighbouring faces that look along the same axis (of six) form a chart and are projected along it. Faces that
    would cover texels of another face of their chart get charts of their own. Any old texture is dropped.
    """
    welded = mesh.merged()
    direction = dominant_direction(welded.face_normals)
    chart = connected_labels(welded.faces, direction)
    flat = along_axis(welded.triangles, direction)
    own = own_planes(welded.triangles)
    for _ in range(_ROUNDS):
        single = np.bincount(chart)[chart] == 1
        corners = pack(np.where(single[:, None, None], own, flat), chart, resolution)
        folded = covering_others(corners * resolution, resolution)
        if len(folded) == 0:
            break
        chart[folded] = chart.max() + 1 + np.arange(len(folded))
        chart = np.unique(chart, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return with_seams(welded, corners, chart)


def dominant_direction(normals: Float[np.ndarray, "f 3"]) -> Int[np.ndarray, " f"]:
    """0..5: +x, -x, +y, -y, +z, -z."""
    axis = np.abs(normals).argmax(axis=1)
    return 2 * axis + (normals[np.arange(len(axis)), axis] < 0)


def connected_labels(faces: Int[np.ndarray, "f 3"], group: Int[np.ndarray, " f"]) -> Int[np.ndarray, " f"]:
    """Number the sets of faces of one group that hang together over edges."""
    first, second = adjacent_faces(faces)
    same = group[first] == group[second]
    graph = coo_matrix((np.ones(int(same.sum()), bool), (first[same], second[same])), shape=(len(faces),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def along_axis(triangles: Float[np.ndarray, "f 3 3"], direction: Int[np.ndarray, " f"]) -> Float[np.ndarray, "f 3 2"]:
    axes = np.array([[1, 2], [1, 2], [2, 0], [2, 0], [0, 1], [0, 1]])[direction]
    flat = np.take_along_axis(triangles, np.repeat(axes[:, None], 3, axis=1), axis=2)
    flat[direction % 2 == 1, :, 0] *= -1.0
    return flat


def own_planes(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3 2"]:
    """Each face laid flat with its longest edge on the x axis."""
    lengths = np.linalg.norm(np.roll(triangles, -1, axis=1) - triangles, axis=2)
    turn = (lengths.argmax(axis=1)[:, None] + np.arange(3)) % 3
    turned = np.take_along_axis(triangles, turn[:, :, None], axis=1)
    base, side = turned[:, 1] - turned[:, 0], turned[:, 2] - turned[:, 0]
    length = np.maximum(np.linalg.norm(base, axis=1), 1e-300)
    along = np.einsum("ij,ij->i", side, base) / length
    height = np.linalg.norm(np.cross(base, side), axis=1) / length
    zero = np.zeros_like(length)
    laid = np.stack([np.stack([zero, zero], 1), np.stack([length, zero], 1), np.stack([along, height], 1)], axis=1)
    result = np.empty_like(laid)
    np.put_along_axis(result, turn[:, :, None], laid, axis=1)
    return result


def covering_others(corners: Float[np.ndarray, "f 3 2"], resolution: int) -> Int[np.ndarray, " n"]:
    """Faces over a texel that a face before them covers already: where a chart folds over itself."""
    shrunk = corners + 1e-3 * (corners.mean(axis=1, keepdims=True) - corners)  # neighbours share no texel
    hits = cover(shrunk, resolution, resolution)
    order = np.argsort(hits.texel, kind="stable")
    texel = hits.texel[order]
    again = np.concatenate([[False], texel[1:] == texel[:-1]])[: len(texel)]
    return np.unique(hits.face[order][again])


def with_seams(welded: Mesh, corners: Float[np.ndarray, "f 3 2"], chart: Int[np.ndarray, " f"]) -> Mesh:
    """One vertex for each position in each chart; `corners` are the coordinates of each face's three corners."""
    keys = welded.faces.reshape(-1) * (int(chart.max()) + 1) + np.repeat(chart, 3)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    old = welded.faces.reshape(-1)[first]
    return Mesh(
        welded.vertices[old],
        inverse.reshape(-1, 3).astype(np.int64),
        uv=corners.reshape(-1, 2)[first],
        vertex_colors=None if welded.vertex_colors is None else welded.vertex_colors[old],
        vertex_attributes={name: values[old] for name, values in welded.vertex_attributes.items()},
    )
