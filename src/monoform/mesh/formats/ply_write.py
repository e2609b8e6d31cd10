"""A `Mesh` as the bytes of a PLY file: binary, with the color and the attributes of each vertex."""

from __future__ import annotations

import numpy as np

from ..mesh import Mesh
from ..texture import vertex_colors


def ply_bytes(mesh: Mesh) -> bytes:
    """The file: x, y, z as float32; red, green, blue as bytes where the mesh has colors; attributes as float32.

    PLY readers have no common way to texture a mesh: each vertex gets the texture's color at its place.
    """
    colors = vertex_colors(mesh)
    columns = [(axis, "<f4", mesh.vertices[:, index]) for index, axis in enumerate("xyz")]
    if colors is not None:
        columns += [(name, "u1", colors[:, index]) for index, name in enumerate(("red", "green", "blue"))]
    columns += [(name, "<f4", np.asarray(values)) for name, values in mesh.vertex_attributes.items()]
    rows = np.zeros(len(mesh.vertices), [(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        rows[name] = values
    faces = np.zeros(len(mesh.faces), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, mesh.faces
    kinds = {"<f4": "float", "u1": "uchar"}
    head = ["ply", "format binary_little_endian 1.0", "comment written by monoform", f"element vertex {len(rows)}"]
    head += [f"property {kinds[kind]} {name}" for name, kind, _ in columns]
    head += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(head).encode() + rows.tobytes() + faces.tobytes()
