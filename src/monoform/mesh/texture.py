"""Looking up and filling texture images."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from .mesh import Mesh

_ROW = 4096  # cv2.remap wants images, not long lists
UNPAINTED = np.array([0.8, 0.8, 0.8], np.float32)


def sample_texture(texture: UInt8[np.ndarray, "h w 3"], uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Bilinear colours in 0..1 at texture coordinates (origin bottom left, repeating outside [0, 1]).

    Positions are rounded to 1/32 of a texel.
    """
    height, width = texture.shape[:2]
    x = ((uv[:, 0] % 1.0) * width - 0.5).astype(np.float32)
    y = ((1.0 - uv[:, 1] % 1.0) * height - 0.5).astype(np.float32)
    count = len(uv)
    if count == 0:
        return np.zeros((0, 3), np.float32)
    rows = -(-count // _ROW)
    columns = min(count, _ROW)
    padded = [np.resize(np.pad(values, (0, rows * columns - count)), (rows, columns)) for values in (x, y)]
    colors = cv2.remap(texture, padded[0], padded[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return colors.reshape(-1, 3)[:count].astype(np.float32) / np.float32(255)


def surface_colors(
    mesh: Mesh, faces: Shaped[np.ndarray, " n"], barycentric: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Colours in 0..1 at points of the surface: from the texture, else the vertex colours, else light grey."""
    corners = mesh.faces[faces]
    if mesh.uv is not None and mesh.texture is not None:
        return sample_texture(mesh.texture, np.einsum("nk,nkc->nc", barycentric, mesh.uv[corners]))
    if mesh.vertex_colors is not None:
        colors = mesh.vertex_colors[corners].astype(np.float32) / np.float32(255)
        return np.einsum("nk,nkc->nc", barycentric.astype(np.float32), colors)
    return np.tile(UNPAINTED, (len(faces), 1))


def vertex_colors(mesh: Mesh) -> UInt8[np.ndarray, "v 3"] | None:
    """The color of each vertex, sRGB: the texture's at its place, else its own; None where the mesh has no colors."""
    if mesh.uv is not None and mesh.texture is not None:
        return to_bytes(sample_texture(mesh.texture, mesh.uv))
    return mesh.vertex_colors


def texel_density(mesh: Mesh) -> Float[np.ndarray, " f"]:
    """How many texels of its texture each face has for a unit of its area; 0 where there is no texture."""
    if mesh.uv is None or mesh.texture is None:
        return np.zeros(len(mesh.faces))
    corners = mesh.uv[mesh.faces] * mesh.texture.shape[1::-1]
    (ax, ay), (bx, by) = ((corners[:, at] - corners[:, 0]).T for at in (1, 2))
    return 0.5 * np.abs(ax * by - ay * bx) / np.maximum(mesh.face_areas, 1e-300)


def fill_gutters(image: Shaped[np.ndarray, "h w c"], painted: Bool[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h w c"]:
    """Give every unpainted texel the colour of the nearest painted one, so that no seam shows between charts."""
    if painted.all() or not painted.any():
        return image
    source = (~painted).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(source, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    place = np.zeros(int(labels.max()) + 1, np.int64)
    place[labels[painted]] = np.flatnonzero(painted)
    return image.reshape(-1, image.shape[2])[place[labels]]


def to_bytes(colors: Float[np.ndarray, "*any"]) -> UInt8[np.ndarray, "*any"]:
    """0..1 to 0..255, rounded."""
    return np.rint(np.clip(colors, 0.0, 1.0) * 255.0).astype(np.uint8)
