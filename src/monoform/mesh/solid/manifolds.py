"""Meshes as solids of manifold3d, which cuts them exactly and keeps them closed, and back with their colors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float

from ...errors import InputError
from ..manifold import separate_touching_sheets
from ..mesh import Mesh, repeats_a_vertex
from ..texture import vertex_colors

if TYPE_CHECKING:
    from manifold3d import Manifold


def manifold3d() -> Any:
    """The package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import manifold3d as package
    except ImportError:
        raise InputError(
            "Solids for printing need the package manifold3d: pip install 'monoform[print]', or leave out --size-mm, "
            "--on-ground, --stand, --flat-base and --hollow."
        ) from None
    return package


def to_manifold(mesh: Mesh) -> Manifold | None:
    """A closed mesh as a solid, with its texture coordinates, else its colors, as properties of vertices.

    Returns:
        None where the mesh is not closed, or more than two faces meet at an edge.
    """
    package = manifold3d()
    index = mesh.merged_index
    _, first = np.unique(index, return_index=True)
    again = np.flatnonzero(first[index] != np.arange(len(index)))
    faces = mesh.faces[~repeats_a_vertex(index[mesh.faces])]
    solid = package.Manifold(
        package.Mesh64(
            np.ascontiguousarray(np.concatenate([mesh.vertices, _properties(mesh)], axis=1)),
            np.ascontiguousarray(faces, dtype=np.uint64),
            merge_from_vert=again.astype(np.uint64),
            merge_to_vert=first[index[again]].astype(np.uint64),
        )
    )
    return solid if solid.status() == package.Error.NoError and not solid.is_empty() else None


def mended(mesh: Mesh) -> Mesh:
    """The mesh with sheets that touch taken apart; colors are those of the nearest old vertices, a texture's too."""
    apart = separate_touching_sheets(mesh.merged())
    colors = vertex_colors(mesh)
    if colors is None or len(apart.vertices) == 0:
        return apart
    nearest = scipy.spatial.cKDTree(mesh.vertices).query(apart.vertices)[1]
    return replace(apart, vertex_colors=colors[nearest])


def from_manifold(solid: Manifold, origin: Manifold, mesh: Mesh) -> Mesh:
    """A solid as a mesh: what is left of the surface of `mesh` has its colors, cuts have its median color.

    Args:
        solid: cut out of `origin`.
        origin: `mesh` as `to_manifold` gave it.
    """
    found = solid.to_mesh64()
    vertices, properties = np.split(np.asarray(found.vert_properties), [3], axis=1)
    faces = np.asarray(found.tri_verts).astype(np.int64)
    if properties.shape[1] == 0:
        return Mesh(vertices, faces)
    old = set(np.asarray(origin.to_mesh64().run_original_id).tolist())
    properties = properties.copy()
    ends = np.asarray(found.run_index).astype(np.int64) // 3
    for number, begin, end in zip(found.run_original_id, ends, ends[1:], strict=False):
        if number not in old:
            properties[np.unique(faces[begin:end])] = _median(mesh)
    if mesh.uv is not None and mesh.texture is not None:
        return Mesh(vertices, faces, uv=properties, texture=mesh.texture)
    return Mesh(vertices, faces, vertex_colors=np.rint(properties).clip(0, 255).astype(np.uint8))


def _properties(mesh: Mesh) -> Float[np.ndarray, "v c"]:
    if mesh.uv is not None and mesh.texture is not None:
        return mesh.uv
    return np.zeros((len(mesh.vertices), 0)) if mesh.vertex_colors is None else mesh.vertex_colors.astype(np.float64)


def _median(mesh: Mesh) -> Float[np.ndarray, " c"]:
    """The properties of the vertex whose color is nearest to the median of all."""
    colors = vertex_colors(mesh)
    assert colors is not None
    away = np.abs(colors - np.median(colors, axis=0)).sum(axis=1)
    return _properties(mesh)[int(np.argmin(away))]
