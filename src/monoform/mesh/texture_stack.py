"""Parts with their own textures joined into one mesh with one texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from .mesh import Mesh

_GUTTER = 4
_LARGEST_SIDE = 8192


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh with its texture, or its plain colour, or vertex colours in the mesh, or none of these."""

    mesh: Mesh
    texture: np.ndarray | None
    color: np.ndarray | None


def stack_parts(parts: list[Part]) -> Mesh:
    """Join parts into one mesh; uses vertex colours where no part has a texture."""
    textures = [part.texture for part in parts if part.texture is not None]
    if not textures:
        return _with_vertex_colors(parts)
    if len(parts) == 1 or (all(t is textures[0] for t in textures) and len(textures) == len(parts)):
        uv = np.concatenate([_uv(part) for part in parts])
        return _joined(parts, uv=uv, texture=textures[0])
    tiles, tile_uvs = zip(*[_tile(part) for part in parts], strict=True)
    return _stacked(parts, list(tiles), list(tile_uvs))


def _with_vertex_colors(parts: list[Part]) -> Mesh:
    if all(part.color is None and part.mesh.vertex_colors is None for part in parts):
        return _joined(parts)
    return _joined(parts, vertex_colors=np.concatenate([_colors(part) for part in parts]))


def _colors(part: Part) -> np.ndarray:
    if part.mesh.vertex_colors is not None:
        return part.mesh.vertex_colors
    color = np.full(3, 255, np.uint8) if part.color is None else part.color
    return np.tile(color, (len(part.mesh.vertices), 1))


def _uv(part: Part) -> np.ndarray:
    assert part.mesh.uv is not None
    return part.mesh.uv


def _joined(
    parts: list[Part],
    *,
    uv: np.ndarray | None = None,
    texture: np.ndarray | None = None,
    vertex_colors: np.ndarray | None = None,
) -> Mesh:
    starts = np.cumsum([0, *[len(part.mesh.vertices) for part in parts]])
    return Mesh(
        np.concatenate([part.mesh.vertices for part in parts]),
        np.concatenate([part.mesh.faces + start for part, start in zip(parts, starts, strict=False)]),
        uv=uv,
        texture=texture,
        vertex_colors=vertex_colors,
        vertex_attributes=_shared_attributes(parts),
    )


def _shared_attributes(parts: list[Part]) -> dict[str, np.ndarray]:
    names = set.intersection(*[set(part.mesh.vertex_attributes) for part in parts])
    return {name: np.concatenate([part.mesh.vertex_attributes[name] for part in parts]) for name in sorted(names)}


def _tile(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """The image of one part, repeated as often as its coordinates ask for, and uv within that image."""
    if part.texture is None:
        mean = _colors(part).mean(axis=0).round().astype(np.uint8)
        return np.tile(mean, (8, 8, 1)), np.full((len(part.mesh.vertices), 2), 0.5)
    uv = _uv(part) - np.floor(_uv(part).min(axis=0))
    repeats = np.maximum(np.ceil(uv.max(axis=0)), 1).astype(int)
    height, width = part.texture.shape[:2]
    if max(repeats[0] * width, repeats[1] * height) > _LARGEST_SIDE:
        raise InputError(
            f"a texture of {width} x {height} pixels repeats {repeats[0]} x {repeats[1]} times beside other textures; "
            "bake the materials into one image first."
        )
    return np.tile(part.texture, (repeats[1], repeats[0], 1)), uv / repeats


def _stacked(parts: list[Part], tiles: list[np.ndarray], uvs: list[np.ndarray]) -> Mesh:
    """Tiles on shelves of a square sheet, each with a border of its own edge colours."""
    padded = [cv2.copyMakeBorder(t, _GUTTER, _GUTTER, _GUTTER, _GUTTER, cv2.BORDER_REPLICATE) for t in tiles]
    side = int(np.ceil(np.sqrt(sum(t.shape[0] * t.shape[1] for t in padded))))
    width = max(side, *(t.shape[1] for t in padded))
    corners, x, y, shelf = {}, 0, 0, 0
    for index in sorted(range(len(padded)), key=lambda i: -padded[i].shape[0]):
        tile = padded[index]
        if x + tile.shape[1] > width:
            x, y, shelf = 0, y + shelf, 0
        corners[index] = (x, y)
        x, shelf = x + tile.shape[1], max(shelf, tile.shape[0])
    height = y + shelf
    sheet = np.zeros((height, width, 3), np.uint8)
    placed = []
    for index, (tile, uv) in enumerate(zip(padded, uvs, strict=True)):
        x, y = corners[index]
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        inner_height, inner_width = tiles[index].shape[:2]
        u = (x + _GUTTER + uv[:, 0] * inner_width) / width
        v = 1.0 - (y + _GUTTER + (1.0 - uv[:, 1]) * inner_height) / height
        placed.append(np.stack([u, v], axis=1))
    return _joined(parts, uv=np.concatenate(placed), texture=sheet)
