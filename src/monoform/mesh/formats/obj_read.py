"""Wavefront OBJ: polygons with materials, or with colors at their vertices."""

from __future__ import annotations

import io
from array import array
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from ...errors import InputError
from ..mesh import Mesh, repeats_a_vertex
from ..texture_stack import Part
from .limits import MAX_FACES, Count
from .mtl import MtlMaterial, read_mtl
from .neighbors import Neighbors
from .polygons import triangulate
from .textures import Textures
from .wrapping import repeating

_NONE = -1


@dataclass
class _Lines:
    """Numbers of the file as they come. Corners hold 0-based places of vertices and coordinates."""

    vertices: array = field(default_factory=lambda: array("d"))
    colors: array = field(default_factory=lambda: array("d"))
    uv: array = field(default_factory=lambda: array("d"))
    vertex_corners: array = field(default_factory=lambda: array("q"))
    uv_corners: array = field(default_factory=lambda: array("q"))
    counts: array = field(default_factory=lambda: array("q"))
    materials: array = field(default_factory=lambda: array("q"))
    material_names: dict[str, int] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)
    current: int = _NONE


def read_obj(data: bytes, files: Neighbors, *, appearance: bool) -> list[Part]:
    """The faces of an OBJ file, one part for each material.

    Raises:
        InputError: a material or texture is missing, or the mesh is too large.
        ValueError: the file is damaged.
    """
    lines = _read_lines(data)
    counts, corners = np.array(lines.counts, np.int64), np.array(lines.vertex_corners, np.int64)
    vertices = np.array(lines.vertices, np.float64).reshape(-1, 3)
    if len(corners) and (corners.min() < 0 or corners.max() >= len(vertices)):
        raise InputError(f"A face names vertex {corners.max() + 1} of {len(vertices)}; the face list is damaged.")
    if not np.isfinite(vertices).all():
        raise InputError("Some vertices are not finite numbers; remove them or export the mesh again.")
    Count().add(len(vertices), int((counts - 2).clip(0).sum()))
    faces, owner = triangulate(vertices, corners, counts)
    faces, owner = _without_repeats(corners, faces, owner)
    colors = _vertex_colors(lines, len(vertices))
    if not appearance:
        return [Part(_joined_corners(vertices, None, corners[faces], None), None, None)] if len(faces) else []
    by_material = _Appearance(lines, files)
    material_of_face = np.array(lines.materials, np.int64)[owner]
    uv_corners = np.array(lines.uv_corners, np.int64)
    parts = []
    for material in dict.fromkeys(material_of_face.tolist()):
        chosen = faces[material_of_face == material]
        parts.append(by_material.part(material, vertices, colors, corners[chosen], uv_corners[chosen]))
    return parts


def _read_lines(data: bytes) -> _Lines:
    lines = _Lines()
    stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="surrogateescape", newline=None)
    waiting = ""
    for number, line in enumerate(stream, 1):
        if line.endswith("\\\n"):
            waiting += line[:-2] + " "
            continue
        try:
            _read_line(lines, waiting + line if waiting else line)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"line {number}: {line.strip()[:60]!r}") from error
        waiting = ""
    if waiting:
        _read_line(lines, waiting)
    return lines


def _read_line(lines: _Lines, line: str) -> None:
    words = line.split()
    if not words:
        return
    if "#" in line and words[0] not in ("usemtl", "mtllib"):  # a remark, where no name can hold the sign
        words = line.partition("#")[0].split() or [""]
    match words[0]:
        case "v":
            _read_vertex(lines, [float(word) for word in words[1:]])
        case "vt":
            lines.uv.extend((float(words[1]), float(words[2]) if len(words) > 2 else 0.0))
        case "f" | "fo":
            _read_face(lines, words[1:])
        case "usemtl":
            name = line.strip()[6:].strip()
            lines.current = lines.material_names.setdefault(name, len(lines.material_names))
        case "mtllib":
            lines.libraries.append(line.strip()[6:].strip())


def _read_vertex(lines: _Lines, numbers: list[float]) -> None:
    """x y z, x y z w, or x y z red green blue (and opacity)."""
    if len(numbers) < 3:
        raise ValueError("a vertex has fewer than three numbers")
    lines.vertices.extend(numbers[:3])
    if len(numbers) >= 6:
        lines.colors.extend(numbers[3:6])


def _read_face(lines: _Lines, words: list[str]) -> None:
    """Corners v, v/vt, v//vn or v/vt/vn, counted from 1, or from the last one backwards where below 0."""
    vertex_count, uv_count = len(lines.vertices) // 3, len(lines.uv) // 2
    for word in words:
        parts = word.split("/")
        vertex = int(parts[0])
        lines.vertex_corners.append(vertex - 1 if vertex > 0 else _from_end(vertex, vertex_count))
        if len(parts) > 1 and parts[1]:
            uv = int(parts[1])
            lines.uv_corners.append(uv - 1 if uv > 0 else _from_end(uv, uv_count))
        else:
            lines.uv_corners.append(_NONE)
    lines.counts.append(len(words))
    lines.materials.append(lines.current)
    if len(lines.vertex_corners) > 4 * MAX_FACES:
        raise InputError(f"it has more than {MAX_FACES} faces; simplify it first.")


def _from_end(index: int, count: int) -> int:
    if index == 0 or -index > count:
        raise ValueError(f"a face names number {index} of {count}")
    return count + index


def _without_repeats(corners: np.ndarray, faces: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    good = ~repeats_a_vertex(corners[faces])
    return faces[good], owner[good]


def _vertex_colors(lines: _Lines, count: int) -> np.ndarray | None:
    """Display colors 0..1, or 0..255 where one of them is above 1; None unless every vertex has one."""
    colors = np.array(lines.colors, np.float64).reshape(-1, 3)
    if count == 0 or len(colors) != count or not np.isfinite(colors).all():
        return None
    if colors.max() <= 1.0:
        colors = colors * 255.0
    return np.rint(colors.clip(0, 255)).astype(np.uint8)


class _Appearance:
    """Materials of an OBJ file, and faces with them."""

    def __init__(self, lines: _Lines, files: Neighbors) -> None:
        self._files = files
        self._textures = Textures()
        self._pictures: dict[str, np.ndarray] = {}
        self._uv = np.array(lines.uv, np.float64).reshape(-1, 2)
        self._names = list(lines.material_names)
        self._materials: dict[str, MtlMaterial] = {}
        for library in dict.fromkeys(lines.libraries):
            self._materials.update(self._library(library))

    def part(
        self,
        material: int,
        vertices: Float[np.ndarray, "v 3"],
        colors: np.ndarray | None,
        faces: Int[np.ndarray, "f 3"],
        uv_faces: Int[np.ndarray, "f 3"],
    ) -> Part:
        """The faces of one material; a texture goes before vertex colors, and these before a plain color."""
        shading = self._materials.get(self._names[material]) if material != _NONE else None
        if shading is not None and shading.texture is not None:
            return self._textured(shading, shading.texture, vertices, faces, uv_faces)
        if colors is not None:
            return Part(_joined_corners(vertices, colors, faces, None), None, None)
        plain = None if shading is None or shading.color is None else np.rint(255 * shading.color).astype(np.uint8)
        return Part(_joined_corners(vertices, None, faces, None), None, plain)

    def _textured(
        self, shading: MtlMaterial, name: str, vertices: np.ndarray, faces: np.ndarray, uv_faces: np.ndarray
    ) -> Part:
        if uv_faces.max() >= len(self._uv):
            raise InputError(f"A face names texture coordinate {uv_faces.max() + 1} of {len(self._uv)}.")
        if name not in self._pictures:
            self._pictures[name] = self._textures.open(self._files.read(name, "texture"), repr(name))
        texture = self._pictures[name]
        without = np.zeros((1, 2))  # the last, of corners that name none
        uv = np.concatenate([self._uv * shading.scale + shading.offset, without])
        mesh = _joined_corners(vertices, None, faces, (uv, uv_faces))
        if shading.clamp and mesh.uv is not None:
            wider, placed = repeating(texture, mesh.uv, ("clamp", "clamp"))
            if wider is not texture:
                self._textures.count(wider.shape[1], wider.shape[0], repr(name))
            texture, mesh = wider, replace(mesh, uv=placed)
        return Part(mesh, texture, None)

    def _library(self, name: str) -> dict[str, MtlMaterial]:
        """The materials of `mtllib NAME`; several names may stand behind it where one of them all is not there."""
        try:
            data = self._files.read(name, "material file")
        except InputError:
            names = name.split()
            if len(names) < 2:
                raise
            found: dict[str, MtlMaterial] = {}
            for each in names:
                found.update(self._library(each))
            return found
        return read_mtl(data.decode("utf-8-sig", errors="surrogateescape"))


def _joined_corners(
    vertices: np.ndarray, colors: np.ndarray | None, faces: np.ndarray, placed: tuple[np.ndarray, np.ndarray] | None
) -> Mesh:
    """A mesh with one vertex for each pair of position and texture coordinate that its faces use."""
    if placed is None:
        used, index = np.unique(faces, return_inverse=True)
        return Mesh(vertices[used], index.reshape(-1, 3), vertex_colors=None if colors is None else colors[used])
    uv, uv_faces = placed
    uv_faces = np.where(uv_faces < 0, len(uv) - 1, uv_faces)
    pair, index = np.unique(faces.reshape(-1) * len(uv) + uv_faces.reshape(-1), return_inverse=True)
    return Mesh(vertices[pair // len(uv)], index.reshape(-1, 3), uv=uv[pair % len(uv)])
