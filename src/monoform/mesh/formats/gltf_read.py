"""Triangles of a glTF scene, with node transforms and base colors (glTF 2.0, sections 3.5 and 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...errors import InputError
from ..corner_baking import tinted
from ..light import bytes_from_linear
from ..mesh import Mesh, repeats_a_vertex
from ..texture_stack import Part
from .gltf_accessors import element_count, read_floats, read_indices
from .gltf_document import Document, entry, items, needs, numbers, table, whole
from .gltf_material import Materials, Placed
from .neighbors import Neighbors

_DRACO = "KHR_draco_mesh_compression"
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


def read_gltf(data: bytes, files: Neighbors, *, appearance: bool) -> list[Part]:
    """The surfaces of a GLB or glTF file, in the frame of its default scene.

    Raises:
        InputError: it needs something that is not supported, or is too large.
        ValueError: it is damaged.
    """
    document = Document(data, files)
    materials = Materials(document) if appearance else None
    parts = []
    for mesh, world_from_mesh in _placed_meshes(document):
        for primitive in items(mesh.get("primitives", [])):
            part = _part(document, materials, table(primitive), world_from_mesh)
            if part is not None:
                parts.append(part)
    return parts


def _placed_meshes(document: Document) -> Iterator[tuple[dict[str, Any], Float[np.ndarray, "4 4"]]]:
    nodes = document.tree.get("nodes")
    if not nodes:
        for mesh in items(document.tree.get("meshes", [])):
            yield table(mesh), np.eye(4)
        return
    seen: set[int] = set()
    waiting = [(root, np.eye(4)) for root in reversed(_roots(document))]
    while waiting:
        index, world_from_parent = waiting.pop()
        number = whole(index, "a node's number")
        if number in seen:
            raise ValueError(f"node {number} is reached twice, nodes must form trees")
        seen.add(number)
        node = entry(nodes, number, "nodes")
        if "mesh" not in node and not node.get("children"):
            continue
        world_from_node = world_from_parent @ _local(node)
        if "mesh" in node:
            yield document.item("meshes", node["mesh"]), world_from_node
        waiting += [(child, world_from_node) for child in reversed(items(node.get("children", [])))]


def _roots(document: Document) -> list[Any]:
    scenes = document.tree.get("scenes")
    if scenes:
        return items(entry(scenes, document.tree.get("scene", 0), "scenes").get("nodes", []))
    nodes = items(document.tree["nodes"])
    children = {child for node in nodes for child in items(table(node).get("children", [])) if isinstance(child, int)}
    return [number for number in range(len(nodes)) if number not in children]


def _local(node: dict[str, Any]) -> Float[np.ndarray, "4 4"]:
    if "matrix" in node:
        return numbers(node["matrix"], 16, "a node's matrix").reshape(4, 4).T
    x, y, z, w = _unit_quaternion(numbers(node.get("rotation", [0, 0, 0, 1]), 4, "a node's rotation"))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * numbers(node.get("scale", [1, 1, 1]), 3, "a node's scale")
    matrix[:3, 3] = numbers(node.get("translation", [0, 0, 0]), 3, "a node's translation")
    return matrix


def _unit_quaternion(rotation: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(rotation))
    return rotation / length if length > 0 else np.array([0.0, 0, 0, 1])


def _part(
    document: Document, materials: Materials | None, primitive: dict[str, Any], world_from_mesh: np.ndarray
) -> Part | None:
    mode = whole(primitive.get("mode", _TRIANGLES), "a primitive's mode")
    if mode not in (_TRIANGLES, _STRIP, _FAN):
        return None  # points and lines have no surface
    attributes = table(primitive.get("attributes"))
    _check_not_packed(document, primitive, attributes)
    vertex_count = element_count(document, attributes.get("POSITION"))
    index_count = element_count(document, primitive["indices"]) if "indices" in primitive else vertex_count
    document.count.add(0, index_count // 3 if mode == _TRIANGLES else max(index_count - 2, 0))
    indices = read_indices(document, primitive["indices"]) if "indices" in primitive else np.arange(vertex_count)
    faces = _faces(indices, mode)
    faces = faces[~repeats_a_vertex(faces)]
    if len(faces) == 0:
        return None
    if faces.max() >= vertex_count:
        raise InputError(f"A mesh face names vertex {faces.max()} of {vertex_count}; the face list is damaged.")
    rows, faces = _used(faces)
    document.count.add(len(rows), 0)
    vertices = read_floats(document, attributes["POSITION"], (3,), rows)
    mesh = Mesh(vertices, faces, vertex_attributes=_numbers_of_vertices(document, attributes, rows))
    mesh = mesh.transformed(world_from_mesh)
    if materials is None:
        return Part(mesh, None, None)
    return _painted(document, materials, primitive, rows, mesh)


def _used(faces: Int[np.ndarray, "f 3"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "f 3"]]:
    """The vertices that faces use, and the faces with these numbered anew: primitives may share a long list."""
    largest = int(faces.max()) + 1
    if largest > 8 * faces.size:
        rows, index = np.unique(faces, return_inverse=True)
        return rows, index.reshape(-1, 3)
    used = np.zeros(largest, bool)
    used[faces] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[faces]


def _check_not_packed(document: Document, primitive: dict[str, Any], attributes: dict[str, Any]) -> None:
    """A compressed primitive may come with plain accessors to fall back on; where they are empty, it may not."""
    if _DRACO not in table(primitive.get("extensions", {})):
        return
    needed = [attributes.get("POSITION"), *([primitive["indices"]] if "indices" in primitive else [])]
    if any(index is None or "bufferView" not in document.item("accessors", index) for index in needed):
        raise needs(_DRACO)


def _faces(indices: Int[np.ndarray, " n"], mode: int) -> Int[np.ndarray, "f 3"]:
    if mode == _TRIANGLES:
        if len(indices) % 3:
            raise ValueError(f"a primitive of triangles has {len(indices)} corners")
        return indices.reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        first = np.full(len(indices) - 2, indices[0])
        return np.stack([indices[1:-1], indices[2:], first], axis=1)
    strip = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
    strip[1::2] = strip[1::2][:, [0, 2, 1]]
    return strip


def _painted(
    document: Document, materials: Materials, primitive: dict[str, Any], rows: Int[np.ndarray, " n"], mesh: Mesh
) -> Part:
    """A primitive with its color: factor times texture times COLOR_0, all as linear light (section 3.9.2)."""
    attributes = primitive["attributes"]
    material = materials[primitive["material"]] if "material" in primitive else None
    light = _vertex_light(document, attributes, rows)
    plain = material is not None
    factor = np.ones(3) if material is None else material.factor
    if light is not None and np.ptp(light, axis=0).max() < 1e-4:
        factor, light, plain = factor * light[0], None, True
    if material is not None and material.texture is not None:
        uv = _uv(document, attributes, material.texture, rows)
        return _textured(materials, material.texture, replace(mesh, uv=uv), factor, light)
    if light is not None:
        return Part(replace(mesh, vertex_colors=bytes_from_linear(light * factor)), None, None)
    return Part(mesh, None, bytes_from_linear(factor) if plain else None)


def _textured(
    materials: Materials, placed: Placed, mesh: Mesh, factor: Float[np.ndarray, " 3"], light: np.ndarray | None
) -> Part:
    assert mesh.uv is not None
    image = materials.pixels(placed.image, factor if light is None else np.ones(3))
    texture, uv = materials.repeating(image, mesh.uv, placed.wrap)
    mesh = replace(mesh, uv=uv)
    if light is None:
        return Part(mesh, texture, None)
    return Part(*tinted(mesh, texture, light * factor), None)


def _vertex_light(
    document: Document, attributes: dict[str, Any], rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"] | None:
    if "COLOR_0" not in attributes:
        return None
    return _finite(read_floats(document, attributes["COLOR_0"], (3, 4), rows, normalized=True)[:, :3]).clip(0, 1)


def _uv(
    document: Document, attributes: dict[str, Any], placed: Placed, rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n 2"]:
    """Coordinates with v upwards; where they are missing, those of the image's corner, which is what others show."""
    name = f"TEXCOORD_{placed.tex_coord}"
    uv = np.zeros((len(rows), 2))
    if name in attributes:
        uv = _finite(read_floats(document, attributes[name], (2,), rows))
    if placed.matrix is not None:
        uv = uv @ placed.matrix[:, :2].T + placed.matrix[:, 2]
    return np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1)


def _numbers_of_vertices(
    document: Document, attributes: dict[str, Any], rows: Int[np.ndarray, " n"]
) -> dict[str, np.ndarray]:
    """One number for each vertex, by a name without the underscore that glTF asks for."""
    found = {}
    for name, index in attributes.items():
        short = name.lstrip("_").lower()
        if name.startswith("_") and short.isidentifier() and document.item("accessors", index).get("type") == "SCALAR":
            values = read_floats(document, index, (1,), rows)[:, 0].astype(np.float32)
            if np.isfinite(values).all():
                found[short] = values
    return found


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("colors or texture coordinates hold numbers that are not finite")
    return values
