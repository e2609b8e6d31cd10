"""A `Mesh` as the bytes of a 3MF file, what slicers of 3D printers read (3MF Core Specification 1.3)."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from jaxtyping import Int

from ..mesh import Mesh, repeats_a_vertex
from ..texture import vertex_colors

_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)
_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_MATERIALS = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"


def threemf_bytes(mesh: Mesh) -> bytes:
    """The file: one object, its coordinates taken as millimeters, one vertex for each position.

    Colors, those of vertices or the texture's at the vertices, are a color group (Materials and Properties Extension):
    each corner of a triangle names its own, so that seams of a texture stay sharp.
    """
    corners = mesh.merged_index[mesh.faces]
    kept = ~repeats_a_vertex(corners)
    _, first = np.unique(mesh.merged_index, return_index=True)
    colors, names = _colors(mesh)
    points = "\n".join(f'<vertex x="{x:.9g}" y="{y:.9g}" z="{z:.9g}"/>' for x, y, z in mesh.vertices[first].tolist())
    rows = corners[kept].tolist()
    if colors:
        of_corners = names[mesh.faces[kept]].tolist()
        triangles = "\n".join(
            f'<triangle v1="{a}" v2="{b}" v3="{c}" pid="1" p1="{p}" p2="{q}" p3="{r}"/>'
            for (a, b, c), (p, q, r) in zip(rows, of_corners, strict=True)
        )
    else:
        triangles = "\n".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in rows)
    painted = ' pid="1" pindex="0"' if colors else ""
    model = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}" xmlns:m="{_MATERIALS}">\n'
        f'<metadata name="Application">monoform</metadata>\n<resources>\n{colors}'
        f'<object id="2" type="model"{painted}><mesh><vertices>\n{points}\n</vertices>'
        f"<triangles>\n{triangles}\n</triangles></mesh></object>\n</resources>\n"
        '<build><item objectid="2"/></build>\n</model>\n'
    )
    files = {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS, "3D/3dmodel.model": model}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():  # entries without a date: the same mesh gives the same bytes
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED, compresslevel=6)
    return data.getvalue()


def _colors(mesh: Mesh) -> tuple[str, Int[np.ndarray, " v"]]:
    """The color group, and for each vertex the number of its color in it; nothing where there are no colors."""
    colors = vertex_colors(mesh)
    if colors is None:
        return "", np.zeros(len(mesh.vertices), np.int64)
    distinct, names = np.unique(colors, axis=0, return_inverse=True)
    listed = "\n".join(f'<m:color color="#{red:02X}{green:02X}{blue:02X}"/>' for red, green, blue in distinct.tolist())
    return f'<m:colorgroup id="1">\n{listed}\n</m:colorgroup>\n', names.reshape(-1)
