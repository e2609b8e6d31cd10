"""A `Mesh` as the bytes of a USDZ file, what phones show in the room (OpenUSD, "Usdz File Format Specification")."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..light import linear_from_srgb
from ..mesh import Mesh
from .gltf_write import gltf_normals

_ALIGNED = 64  # bytes: where the content of each file in the package has to begin
_PADDING = 0x1986  # a tag of zip's extra fields that means nothing to readers
_TEXTURE = "textures/baked.png"


def usdz_bytes(mesh: Mesh) -> bytes:
    """The file: Y up, one unit is a meter; the texture, or the colors of vertices, as a UsdPreviewSurface."""
    files = {"mesh.usda": _scene(mesh).encode()}
    if mesh.uv is not None and mesh.texture is not None:
        picture = io.BytesIO()
        Image.fromarray(mesh.texture).save(picture, format="PNG", compress_level=6)
        files[_TEXTURE] = picture.getvalue()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            room = -(data.tell() + 30 + len(name)) % _ALIGNED
            room += _ALIGNED if 0 < room < 4 else 0  # an extra field takes four bytes at least
            entry.extra = struct.pack("<HH", _PADDING, room - 4) + bytes(room - 4) if room else b""
            archive.writestr(entry, content)
    return data.getvalue()


def _scene(mesh: Mesh) -> str:
    low, high = mesh.bounds
    parts = [
        f"int[] faceVertexCounts = [{', '.join(['3'] * len(mesh.faces))}]",
        f"int[] faceVertexIndices = [{', '.join(map(str, mesh.faces.reshape(-1).tolist()))}]",
        f"point3f[] points = {_tuples(mesh.vertices)}",
        f"float3[] extent = {_tuples(np.stack([low, high]))}",
        f"normal3f[] normals = {_tuples(gltf_normals(mesh))} {_OF_VERTICES}",
        'uniform token subdivisionScheme = "none"',
        "rel material:binding = </object/material>",
    ]
    if mesh.uv is not None and mesh.texture is not None:
        parts.append(f"texCoord2f[] primvars:st = {_tuples(mesh.uv)} {_OF_VERTICES}")
        reader, network = "</object/material/texture.outputs:rgb>", _TEXTURED
    elif mesh.vertex_colors is not None:
        colors = _tuples(linear_from_srgb(mesh.vertex_colors / 255.0))
        parts.append(f"color3f[] primvars:displayColor = {colors} {_OF_VERTICES}")
        reader, network = "</object/material/color.outputs:result>", _COLORED
    else:
        reader, network = "", ""
    diffuse = f"color3f inputs:diffuseColor.connect = {reader}" if reader else _GRAY
    body = "\n        ".join(parts)
    return _FRAME % {"body": body, "diffuse": diffuse, "network": network}


def _tuples(rows: Sequence[Sequence[float]] | np.ndarray) -> str:
    return "[" + ", ".join("(" + ", ".join(f"{value:.8g}" for value in row) + ")" for row in np.asarray(rows)) + "]"


_OF_VERTICES = '(\n            interpolation = "vertex"\n        )'
_GRAY = "color3f inputs:diffuseColor = (0.6, 0.6, 0.6)"
_FRAME = """#usda 1.0
(
    defaultPrim = "object"
    metersPerUnit = 1
    upAxis = "Y"
)

def Xform "object" (
    kind = "component"
)
{
    def Mesh "mesh" (
        prepend apiSchemas = ["MaterialBindingAPI"]
    )
    {
        %(body)s
    }

    def Material "material"
    {
        token outputs:surface.connect = </object/material/surface.outputs:surface>

        def Shader "surface"
        {
            uniform token info:id = "UsdPreviewSurface"
            %(diffuse)s
            float inputs:metallic = 0
            float inputs:roughness = 1
            token outputs:surface
        }%(network)s
    }
}
"""
_TEXTURED = f"""

        def Shader "coordinates"
        {{
            uniform token info:id = "UsdPrimvarReader_float2"
            string inputs:varname = "st"
            float2 outputs:result
        }}

        def Shader "texture"
        {{
            uniform token info:id = "UsdUVTexture"
            asset inputs:file = @{_TEXTURE}@
            token inputs:sourceColorSpace = "sRGB"
            float2 inputs:st.connect = </object/material/coordinates.outputs:result>
            token inputs:wrapS = "repeat"
            token inputs:wrapT = "repeat"
            float3 outputs:rgb
        }}"""
_COLORED = """

        def Shader "color"
        {
            uniform token info:id = "UsdPrimvarReader_float3"
            string inputs:varname = "displayColor"
            float3 outputs:result
        }"""
