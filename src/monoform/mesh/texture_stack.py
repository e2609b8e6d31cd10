"""Parts with their own textures joined into one mesh with one texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from .corner_baking import colors_as_texture
from .mesh import Mesh

_GUTTER = 4
_LARGEST_SIDE = 8192
_MOST_PIXELS = 1 << 27


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh with a texture, a plain color, vertex colors, or none of these.

    Attributes:
        mesh: with its vertex colors, where it has them.
        texture: of the mesh; None for none.
        color: of the whole mesh; None for none.
    """

    mesh: Mesh
    texture: np.ndarray | None
    color: np.ndarray | None


def stack_parts(parts: list[Part]) -> Mesh:
    """Join parts into one mesh; uses vertex colors where no part has a texture."""
    textures = [part.texture for part in parts if part.texture is not None]
    if not textures:
        return _with_vertex_colors(parts)
    if len(parts) == 1 or (all(t is textures[0] for t in textures) and len(textures) == len(parts)):
        uv = np.concatenate([_uv(part) for part in parts])
        return _joined(parts, uv=uv, texture=textures[0])
    parts = [_with_own_texture(part) for part in parts]
    tiles: dict[object, np.ndarray] = {}
    places = [_tile(part, tiles) for part in parts]
    return _stacked(parts, tiles, places)


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


def _with_own_texture(part: Part) -> Part:
    """Parts with vertex colors get a texture where other parts have one."""
    if part.texture is None and part.mesh.vertex_colors is not None:
        return Part(*colors_as_texture(part.mesh), None)
    return part


def _tile(part: Part, tiles: dict[object, np.ndarray]) -> tuple[object, np.ndarray]:
    """The key in `tiles` of one part's image, added if it is new, and uv within that image.

    An image is repeated as often as the coordinates ask for; parts that ask for the same share it.
    """
    if part.texture is None:
        color = _colors(part)[0]
        key: object = tuple(color.tolist())
        tiles.setdefault(key, np.tile(color, (8, 8, 1)))
        return key, np.full((len(part.mesh.vertices), 2), 0.5)
    uv = _uv(part) - np.floor(_uv(part).min(axis=0))
    repeats = np.maximum(np.ceil(uv.max(axis=0)), 1)
    height, width = part.texture.shape[:2]
    if max(repeats[0] * width, repeats[1] * height) > max(_LARGEST_SIDE, width, height):
        raise InputError(
            f"a texture of {width} x {height} pixels repeats {repeats[0]:.0f} x {repeats[1]:.0f} times beside other "
            "textures; bake the materials into one image first."
        )
    columns, rows = int(repeats[0]), int(repeats[1])
    key = (id(part.texture), columns, rows)
    if key not in tiles:
        if (
            sum(tile.shape[0] * tile.shape[1] for tile in tiles.values()) + rows * columns * height * width
            > _MOST_PIXELS
        ):
            raise InputError(
                f"its textures with their repetitions have more than {_MOST_PIXELS / 1e6:.0f} million pixels; bake the "
                "materials into one image first."
            )
        tiles[key] = np.tile(part.texture, (rows, columns, 1))
    return key, uv / repeats


def _stacked(parts: list[Part], tiles: dict[object, np.ndarray], places: list[tuple[object, np.ndarray]]) -> Mesh:
    """Tiles on shelves of a square sheet, each with a border of its own edge colors."""
    sizes = {key: (tile.shape[0] + 2 * _GUTTER, tile.shape[1] + 2 * _GUTTER) for key, tile in tiles.items()}
    side = int(np.ceil(np.sqrt(sum(height * width for height, width in sizes.values()))))
    sheet_width = max(side, *(width for _, width in sizes.values()))
    corners, x, y, shelf = {}, 0, 0, 0
    for key in sorted(sizes, key=lambda each: -sizes[each][0]):
        height, width = sizes[key]
        if x + width > sheet_width:
            x, y, shelf = 0, y + shelf, 0
        corners[key] = (x, y)
        x, shelf = x + width, max(shelf, height)
    sheet = np.zeros((y + shelf, sheet_width, 3), np.uint8)
    for key, (x, y) in corners.items():
        padded = cv2.copyMakeBorder(tiles[key], _GUTTER, _GUTTER, _GUTTER, _GUTTER, cv2.BORDER_REPLICATE)
        sheet[y : y + padded.shape[0], x : x + padded.shape[1]] = padded
    return _joined(
        parts, uv=np.concatenate([_on_sheet(sheet, tiles, corners, *place) for place in places]), texture=sheet
    )


def _on_sheet(
    sheet: np.ndarray,
    tiles: dict[object, np.ndarray],
    corners: dict[object, tuple[int, int]],
    key: object,
    uv: np.ndarray,
) -> np.ndarray:
    (height, width), (x, y) = tiles[key].shape[:2], corners[key]
    u = (x + _GUTTER + uv[:, 0] * width) / sheet.shape[1]
    v = 1.0 - (y + _GUTTER + (1.0 - uv[:, 1]) * height) / sheet.shape[0]
    return np.stack([u, v], axis=1)
