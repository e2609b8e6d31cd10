"""The atlas of last resort: flat views of the surface from six sides, packed on shelves. It always works."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .edges import directed_edge_keys
from .mesh import Mesh
from .raster import cover

_GUTTER = 2.0  # texels around each chart
_ROUNDS = 12


def box_atlas(mesh: Mesh, *, resolution: int = 1024) -> Mesh:
    """Give `mesh` texture coordinates without overlap, in a time that grows with its size only.

    Neighbouring faces that look along the same axis (of six) form a chart and are projected along it. Faces that
    would cover texels of another face of their chart get charts of their own. Any old texture is dropped.
    """
    welded = mesh.merged()
    direction = _dominant_direction(welded.face_normals)
    chart = _connected_labels(welded.faces, direction)
    flat = _along_axis(welded.triangles, direction)
    own = _own_planes(welded.triangles)
    for _ in range(_ROUNDS):
        single = np.bincount(chart)[chart] == 1
        corners = _pack(np.where(single[:, None, None], own, flat), chart, resolution)
        folded = _covering_others(corners * resolution, resolution)
        if len(folded) == 0:
            break
        chart[folded] = chart.max() + 1 + np.arange(len(folded))
        chart = np.unique(chart, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return with_seams(welded, corners, chart)


def _dominant_direction(normals: Float[np.ndarray, "f 3"]) -> Int[np.ndarray, " f"]:
    """0..5: +x, -x, +y, -y, +z, -z."""
    axis = np.abs(normals).argmax(axis=1)
    return 2 * axis + (normals[np.arange(len(axis)), axis] < 0)


def _connected_labels(faces: Int[np.ndarray, "f 3"], group: Int[np.ndarray, " f"]) -> Int[np.ndarray, " f"]:
    """Number the sets of faces of one group that hang together over edges."""
    undirected = np.minimum(*directed_edge_keys(faces, int(faces.max()) + 1))
    order = np.argsort(undirected, kind="stable")
    ordered, face = undirected[order], order // 3
    same = (ordered[1:] == ordered[:-1]) & (group[face[1:]] == group[face[:-1]])
    graph = coo_matrix((np.ones(int(same.sum()), bool), (face[:-1][same], face[1:][same])), shape=(len(faces),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _along_axis(triangles: Float[np.ndarray, "f 3 3"], direction: Int[np.ndarray, " f"]) -> Float[np.ndarray, "f 3 2"]:
    axes = np.array([[1, 2], [1, 2], [2, 0], [2, 0], [0, 1], [0, 1]])[direction]
    flat = np.take_along_axis(triangles, np.repeat(axes[:, None], 3, axis=1), axis=2)
    flat[direction % 2 == 1, :, 0] *= -1.0
    return flat


def _own_planes(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3 2"]:
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


def _covering_others(corners: Float[np.ndarray, "f 3 2"], resolution: int) -> Int[np.ndarray, " n"]:
    """Faces over a texel that a face before them covers already: where a chart folds over itself."""
    shrunk = corners + 1e-3 * (corners.mean(axis=1, keepdims=True) - corners)  # neighbours share no texel
    hits = cover(shrunk, resolution, resolution)
    order = np.argsort(hits.texel, kind="stable")
    texel = hits.texel[order]
    again = np.concatenate([[False], texel[1:] == texel[:-1]])[: len(texel)]
    return np.unique(hits.face[order][again])


def _chart_boxes(flat: np.ndarray, chart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = int(chart.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, chart, flat.min(axis=1))
    np.maximum.at(high, chart, flat.max(axis=1))
    empty = ~np.isfinite(low)
    low[empty], high[empty] = 0.0, 0.0
    return low, high


def _pack(flat: np.ndarray, chart: np.ndarray, resolution: int) -> Float[np.ndarray, "f 3 2"]:
    """Place the charts' boxes on shelves, at the largest common scale that fits; corners in 0..1."""
    low, high = _chart_boxes(flat, chart)
    size = high - low
    upright = size[:, 1] > size[:, 0]
    size[upright] = size[upright][:, ::-1]
    order = np.argsort(-size[:, 1], kind="stable")
    gutter = _GUTTER / resolution
    while _shelves(size, order, 0.0, gutter) is None:
        gutter *= 0.5
    smallest, largest = 0.0, 1.0 / max(float(size.max()), 1e-300)
    offsets = _shelves(size, order, smallest, gutter)
    for _ in range(14):
        scale = 0.5 * (smallest + largest)
        attempt = _shelves(size, order, scale, gutter)
        if attempt is None:
            largest = scale
        else:
            smallest, offsets = scale, attempt
    local = (flat - low[chart][:, None]) * smallest
    turned = upright[chart]
    local[turned] = local[turned][:, :, ::-1]
    assert offsets is not None
    return (local + offsets[chart][:, None] + gutter).clip(0.0, 1.0)


def _shelves(size: np.ndarray, order: np.ndarray, scale: float, gutter: float) -> Float[np.ndarray, "c 2"] | None:
    """Lower left corners of the boxes in the unit square, or None where they do not fit."""
    widths = (size[order, 0] * scale + 2 * gutter).tolist()
    heights = (size[order, 1] * scale + 2 * gutter).tolist()
    xs, ys = [], []
    x = y = shelf = 0.0
    for width, height in zip(widths, heights, strict=True):
        if x + width > 1.0:
            x, y, shelf = 0.0, y + shelf, 0.0
        if width > 1.0 or y + height > 1.0:
            return None
        xs.append(x)
        ys.append(y)
        x, shelf = x + width, max(shelf, height)
    offsets = np.empty((len(order), 2))
    offsets[order] = np.stack([xs, ys], axis=1)
    return offsets


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
