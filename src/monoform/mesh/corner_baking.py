"""Colors that change from corner to corner, as a texture of their own: a square patch of texels for each face.

Vertex colors that tint a texture, and vertex colors beside other parts' textures, are no texture yet. Here they
become one whatever the texture coordinates were; they may overlap and repeat.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from ..errors import InputError
from .light import bytes_from_linear, linear_from_srgb
from .mesh import Mesh
from .texture import sample_texture

_SMALLEST, _LARGEST = 4, 512
_MOST_TEXELS = 1 << 25
_MARGIN = 0.5  # texels: corners lie on the centres of texels, so that bilinear look-ups stay in the patch
_CHUNK = 1 << 20


def tinted(
    mesh: Mesh, texture: UInt8[np.ndarray, "h w 3"] | None, light: Float[np.ndarray, "v 3"]
) -> tuple[Mesh, UInt8[np.ndarray, "s s 3"]]:
    """A mesh whose color is its texture (white if None) times `light`, linear light in 0..1 for each vertex.

    Returns the mesh, with vertices and coordinates of its own for each face, and its image, in which a face has about
    as many texels as it had.

    Raises:
        InputError: there are too many faces for one image.
    """
    sides = _patch_sides(mesh, texture)
    order = np.argsort(-sides, kind="stable")
    corner, sheet_side = _packed(sides[order])
    sheet = np.zeros((sheet_side, sheet_side, 3), np.uint8)
    corners = np.empty((len(mesh.faces), 3, 2))
    start = 0
    for side in np.unique(sides)[::-1]:
        count = int((sides == side).sum())
        step = max(1, _CHUNK // int(side) ** 2)
        for first in range(start, start + count, step):
            chosen = slice(first, min(first + step, start + count))
            faces, place = order[chosen], corner[chosen]
            rows, columns = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
            painted = _painted(mesh, texture, light, faces, _barycentric(int(side)))
            sheet[place[:, 1, None, None] + rows, place[:, 0, None, None] + columns] = painted
            corners[faces] = place[:, None] + _triangle(int(side))
        start += count
    uv = corners.reshape(-1, 2) / sheet_side
    uv[:, 1] = 1.0 - uv[:, 1]
    index = mesh.faces.reshape(-1)
    loose = Mesh(
        mesh.vertices[index],
        np.arange(len(index)).reshape(-1, 3),
        uv=uv,
        vertex_attributes={name: values[index] for name, values in mesh.vertex_attributes.items()},
    )
    return loose, sheet


def colors_as_texture(mesh: Mesh) -> tuple[Mesh, UInt8[np.ndarray, "s s 3"]]:
    """A mesh with vertex colors as one with a texture; see `tinted`."""
    assert mesh.vertex_colors is not None
    return tinted(mesh, None, linear_from_srgb(mesh.vertex_colors / 255.0))


def _patch_sides(mesh: Mesh, texture: np.ndarray | None) -> Int[np.ndarray, " f"]:
    """A power of two for each face, near the texels that its edges span."""
    if texture is None or mesh.uv is None:
        span = np.full(len(mesh.faces), float(_SMALLEST))
    else:
        texels = mesh.uv[mesh.faces] * [texture.shape[1], texture.shape[0]]
        span = np.linalg.norm(texels - np.roll(texels, 1, axis=1), axis=-1).max(axis=1) + 2 * _MARGIN
    sides = 2 ** np.ceil(np.log2(span.clip(_SMALLEST, _LARGEST))).astype(np.int64)
    while (sides**2).sum() > _MOST_TEXELS and sides.max() > _SMALLEST:
        sides = np.maximum(sides // 2, _SMALLEST)
    if (sides**2).sum() > _MOST_TEXELS:
        raise InputError(
            f"{len(sides)} faces with vertex colors and a texture are too many for one image; bake the colors into "
            "the texture first."
        )
    return sides


def _packed(sides: Int[np.ndarray, " f"]) -> tuple[Int[np.ndarray, "f 2"], int]:
    """Corners of squares, largest first, in a square sheet: powers of two fill a Z-shaped curve without a gap."""
    start = np.concatenate([[0], np.cumsum(sides**2)])
    x, y = (_every_second_bit(start[:-1] >> shift) for shift in (0, 1))
    side = 1
    while side * side < start[-1]:
        side *= 2
    return np.stack([x, y], axis=1), side


def _every_second_bit(code: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    result = np.zeros_like(code)
    for bit in range(16):
        result |= ((code >> (2 * bit)) & 1) << bit
    return result


def _triangle(side: int) -> Float[np.ndarray, "3 2"]:
    """The triangle within its patch, in texels from the top left."""
    far = side - _MARGIN
    return np.array([[_MARGIN, _MARGIN], [far, _MARGIN], [_MARGIN, far]])


def _barycentric(side: int) -> Float[np.ndarray, "n n 3"]:
    """Weights of the corners at the texels; beyond the triangle those of a point on or near its edge."""
    length = side - 2 * _MARGIN
    rows, columns = np.meshgrid(*[(np.arange(side) + 0.5 - _MARGIN) / length] * 2, indexing="ij")
    b, c = columns.clip(0, 1), rows.clip(0, 1)
    total = np.maximum(b + c, 1.0)
    b, c = b / total, c / total
    return np.stack([1.0 - b - c, b, c], axis=-1)


def _painted(
    mesh: Mesh, texture: np.ndarray | None, light: np.ndarray, faces: np.ndarray, weights: Float[np.ndarray, "n n 3"]
) -> UInt8[np.ndarray, "f n n 3"]:
    tint = np.einsum("ijk,fkc->fijc", weights, light[mesh.faces[faces]])
    if texture is not None and mesh.uv is not None:
        uv = np.einsum("ijk,fkc->fijc", weights, mesh.uv[mesh.faces[faces]])
        tint *= linear_from_srgb(sample_texture(texture, uv.reshape(-1, 2))).reshape(tint.shape)
    return bytes_from_linear(tint)
