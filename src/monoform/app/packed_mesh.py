"""A mesh as the compact block of bytes that the report page gives to the graphics card."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt16

from ..mesh import Mesh, simplify

# With more the page would grow past what mail takes and old graphics chips turn smoothly.
MAX_FACES = 150_000


def reduced(mesh: Mesh, faces: int = MAX_FACES) -> Mesh:
    """The mesh itself, or one of about `faces` triangles with the texture's colours at its vertices."""
    if len(mesh.faces) <= faces:
        return mesh
    colors = mesh.vertex_colors
    if mesh.uv is not None and mesh.texture is not None:
        height, width = mesh.texture.shape[:2]
        u, v = np.where((mesh.uv < 0) | (mesh.uv > 1), mesh.uv % 1, mesh.uv).T
        rows, columns = ((1 - v) * height).astype(int), (u * width).astype(int)
        colors = mesh.texture[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return simplify(Mesh(mesh.vertices, mesh.faces, vertex_colors=colors), faces)


def pack(mesh: Mesh) -> dict[str, Any]:
    """Pack positions, normals, uv, colours and faces for `viewer.js`.

    Positions and uv become 16-bit fractions of their bounding box (an error below one 65,000th of it), normals 8-bit
    fractions of one; that is half the size of floats, and the graphics card reads them as they are.

    Returns:
        `data` (base64), the byte offset of each part (`positions`, `normals`, `uv`, `colors`, `faces`; None where the
        mesh has no such part), the box (`low`, `extent`, `uv_box`), `face_count`, `wide` (32-bit indices).
    """
    low, extent = _box(mesh.vertices)
    wide = len(mesh.vertices) > 0xFFFF
    parts: dict[str, bytes] = {
        "positions": _rows(_fractions(mesh.vertices, low, extent), 4),
        "normals": _rows(np.round(np.asarray(mesh.normals) * 127).astype(np.int8), 4),
    }
    content: dict[str, Any] = {"uv": None, "colors": None, "uv_box": None}
    if mesh.uv is not None and mesh.texture is not None:
        uv_low, uv_extent = _box(mesh.uv)
        parts["uv"] = _rows(_fractions(mesh.uv, uv_low, uv_extent), 2)
        content["uv_box"] = [*uv_low.tolist(), *uv_extent.tolist()]
    if mesh.vertex_colors is not None:
        parts["colors"] = _rows(np.asarray(mesh.vertex_colors, dtype=np.uint8)[:, :3], 4)
    parts["faces"] = np.ascontiguousarray(mesh.faces, dtype=np.uint32 if wide else np.uint16).tobytes()
    offset = 0
    for name, block in parts.items():
        content[name] = offset
        offset += len(block)
    return content | {
        "data": base64.b64encode(b"".join(parts.values())).decode("ascii"),
        "low": low.tolist(),
        "extent": extent.tolist(),
        "face_count": len(mesh.faces),
        "wide": wide,
    }


def _box(values: Float[np.ndarray, "v d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    low = np.asarray(values, dtype=np.float64).min(axis=0)
    return low, np.asarray(values, dtype=np.float64).max(axis=0) - low


def _fractions(
    values: Float[np.ndarray, "v d"], low: Float[np.ndarray, " d"], extent: Float[np.ndarray, " d"]
) -> UInt16[np.ndarray, "v d"]:
    return np.round((values - low) / np.maximum(extent, 1e-12) * 0xFFFF).astype(np.uint16)


def _rows(values: Shaped[np.ndarray, "v d"], columns: int) -> bytes:
    """Rows padded to `columns` entries, so that each starts at a multiple of four bytes."""
    rows = np.zeros((len(values), columns), dtype=values.dtype)
    rows[:, : values.shape[1]] = values
    return rows.tobytes()
