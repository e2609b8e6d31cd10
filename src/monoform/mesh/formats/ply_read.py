"""PLY: vertices, polygons, display colors of vertices or faces, and a texture where a comment names one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float, Int, UInt8

from ...errors import InputError
from ..mesh import Mesh, repeats_a_vertex
from ..texture_stack import Part
from .limits import MAX_FACES, MAX_VERTICES, Count
from .neighbors import Neighbors
from .ply_header import Element, Header, Property, read_header
from .polygons import triangulate
from .textures import Textures

_CORNERS = ("vertex_indices", "vertex_index")
_PLACES = (("texture_u", "texture_v"), ("u", "v"), ("s", "t"))


@dataclass
class _Column:
    """Values of a property; those of a list one row after the other, `counts` of them in each row."""

    values: np.ndarray
    counts: np.ndarray | None = None


_Table = dict[str, _Column]


def read_ply(data: bytes, files: Neighbors, *, appearance: bool) -> list[Part]:
    """The faces of a PLY file.

    Raises:
        InputError: its texture is missing, or the mesh is too large.
        ValueError: the file is damaged.
    """
    header = read_header(data)
    tables = _read_tables(data, header)
    vertices, face = _places(tables), tables.get("face", {})
    corners = next((face[name] for name in _CORNERS if name in face and face[name].counts is not None), None)
    if "tristrips" in tables and corners is None:
        raise InputError("its surface is stored as triangle strips, which are not read; export it as faces.")
    if corners is None or corners.counts is None or vertices is None:
        return []
    indices = corners.values.astype(np.int64)
    if len(indices) and (indices.min() < 0 or indices.max() >= len(vertices)):
        raise InputError(f"A face names vertex {indices.max()} of {len(vertices)}; the face list is damaged.")
    Count().add(len(vertices), int((corners.counts - 2).clip(0).sum()))
    triangles, owner = triangulate(vertices, indices, corners.counts)
    good = ~repeats_a_vertex(indices[triangles])
    triangles, owner = triangles[good], owner[good]
    if len(triangles) == 0:
        return []
    mesh = Mesh(vertices, indices[triangles])
    return [_painted(mesh, tables, header, files, triangles, owner) if appearance else Part(mesh, None, None)]


def read_ply_points(data: bytes) -> Float[np.ndarray, "n 3"]:
    """The vertices of a PLY file, with or without faces.

    Raises:
        InputError: they are too many, or not finite.
        ValueError: the file is damaged, or has none.
    """
    vertices = _places(_read_tables(data, read_header(data)))
    if vertices is None or len(vertices) == 0:
        raise ValueError("it has no vertices")
    return vertices


def _places(tables: dict[str, _Table]) -> Float[np.ndarray, "n 3"] | None:
    vertex = tables.get("vertex", {})
    if not all(axis in vertex and vertex[axis].counts is None for axis in "xyz"):
        return None
    vertices = np.stack([vertex[axis].values.astype(np.float64) for axis in "xyz"], axis=1)
    if not np.isfinite(vertices).all():
        raise InputError("Some vertices are not finite numbers; remove them or export the mesh again.")
    return vertices


def _painted(
    mesh: Mesh,
    tables: dict[str, _Table],
    header: Header,
    files: Neighbors,
    triangles: Int[np.ndarray, "f 3"],
    owner: Int[np.ndarray, " f"],
) -> Part:
    """A texture goes before vertex colors, and these before face colors."""
    vertex, face = tables["vertex"], tables["face"]
    if header.textures:
        uv = _uv(vertex, face, mesh, triangles)
        if uv is not None:
            if len(set(header.textures)) > 1 and "texnumber" in face:
                raise InputError("it has several textures, of which PLY files are read with one; export it as GLB.")
            name = header.textures[0]
            texture = Textures().open(files.read(name, "texture"), repr(name))
            loose = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), uv=uv)
            return Part(loose, texture, None)
    colors = _colors(vertex)
    if colors is not None:
        return Part(
            Mesh(mesh.vertices, mesh.faces, vertex_colors=colors).submesh(np.arange(len(mesh.faces))), None, None
        )
    colors = _colors(face)
    if colors is None:
        return Part(mesh.submesh(np.arange(len(mesh.faces))), None, None)
    return Part(
        Mesh(
            mesh.vertices[mesh.faces].reshape(-1, 3),
            np.arange(3 * len(mesh.faces)).reshape(-1, 3),
            vertex_colors=np.repeat(colors[owner], 3, axis=0),
        ),
        None,
        None,
    )


def _uv(vertex: _Table, face: _Table, mesh: Mesh, triangles: np.ndarray) -> np.ndarray | None:
    """Coordinates at each corner of each triangle: lists of the faces (two numbers a corner), or those of vertices."""
    corners = next(face[name] for name in _CORNERS if name in face)
    listed = face.get("texcoord")
    if listed is not None and listed.counts is not None and np.array_equal(listed.counts, 2 * corners.counts):  # type: ignore[operator]
        return listed.values.astype(np.float64).reshape(-1, 2)[triangles.reshape(-1)]
    for u, v in _PLACES:
        if u in vertex and v in vertex:
            uv = np.stack([vertex[u].values, vertex[v].values], axis=1).astype(np.float64)
            return uv[mesh.faces.reshape(-1)]
    return None


def _colors(table: _Table) -> UInt8[np.ndarray, "n 3"] | None:
    """red, green, blue (also diffuse_red ...) as bytes; floats are 0..1, unless one is above 1: then 0..255."""
    for prefix in ("", "diffuse_"):
        names = [f"{prefix}{color}" for color in ("red", "green", "blue")]
        if all(name in table and table[name].counts is None for name in names):
            values = np.stack([table[name].values for name in names], axis=1)
            if values.dtype.kind == "f":
                values = np.nan_to_num(values.astype(np.float64))
                values = values * (255.0 if values.max(initial=0) <= 1 else 1.0)
            elif values.dtype.itemsize > 1 and values.max(initial=0) > 255:
                values = values / (np.iinfo(values.dtype).max / 255.0)
            return np.rint(values.astype(np.float64).clip(0, 255)).astype(np.uint8)
    return None


def _read_tables(data: bytes, header: Header) -> dict[str, _Table]:
    tables: dict[str, _Table] = {}
    most = {"vertex": MAX_VERTICES, "face": MAX_FACES}
    start = header.size
    words = None if header.order else iter(data[start:].split())
    for element in header.elements:
        limit = most.get(element.name, MAX_FACES)
        if element.count > limit:
            raise InputError(f"it has {element.count} of {element.name!r}, up to {limit} are read; simplify it first.")
        if words is not None:
            table = _read_text(words, element)
        else:
            table, start = _read_binary(data, start, element)
        tables.setdefault(element.name, table)
    return tables


def _read_text(words: Iterator[bytes], element: Element) -> _Table:
    plain = all(each.length is None for each in element.properties)
    if plain:
        width = len(element.properties)
        values = np.array(_take(words, width * element.count), np.float64).reshape(element.count, width)
        return {each.name: _Column(_typed(values[:, k], each.dtype)) for k, each in enumerate(element.properties)}
    lists: list[list[bytes]] = [[] for _ in element.properties]
    counts: list[list[int]] = [[] for _ in element.properties]
    for _ in range(element.count):
        for k, each in enumerate(element.properties):
            length = 1 if each.length is None else int(_take(words, 1)[0])
            counts[k].append(length)
            lists[k].extend(_take(words, length))
    return {
        each.name: _Column(
            _typed(np.array(lists[k], np.float64), each.dtype),
            None if each.length is None else np.array(counts[k], np.int64),
        )
        for k, each in enumerate(element.properties)
    }


def _take(words: Iterator[bytes], count: int) -> list[bytes]:
    taken = list(islice(words, max(count, 0)))
    if len(taken) < count or count < 0:
        raise ValueError("the file is cut short")
    return taken


def _typed(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return values if dtype.kind == "f" else np.rint(values).astype(np.int64).astype(dtype)


def _read_binary(data: bytes, start: int, element: Element) -> tuple[_Table, int]:
    """Rows as they lie in the file: at once where all lists are as long as those of the first row."""
    lengths = _first_lengths(data, start, element)
    row = np.dtype([part for k, each in enumerate(element.properties) for part in _fields(k, each, lengths[k])])
    if row.itemsize * element.count <= len(data) - start:
        rows = np.frombuffer(data, row, element.count, start)
        if all((rows[f"n{k}"] == lengths[k]).all() for k, each in enumerate(element.properties) if each.length):
            table = {}
            for k, each in enumerate(element.properties):
                counts = None if each.length is None else np.full(element.count, lengths[k])
                table[each.name] = _Column(rows[f"v{k}"].reshape(-1), counts)
            return table, start + row.itemsize * element.count
    if all(each.length is None for each in element.properties):
        raise ValueError("the file is cut short")
    return _read_rows(data, start, element)


def _fields(number: int, each: Property, length: int) -> list[tuple]:
    if each.length is None:
        return [(f"v{number}", each.dtype)]
    return [(f"n{number}", each.length), (f"v{number}", each.dtype, (length,))]


def _first_lengths(data: bytes, start: int, element: Element) -> list[int]:
    lengths = []
    for each in element.properties:
        length = 1
        if each.length is not None and element.count:
            length = _length(data, start, each)
            start += each.length.itemsize
        lengths.append(length)
        start += each.dtype.itemsize * length
    return lengths


def _length(data: bytes, start: int, each: Property) -> int:
    assert each.length is not None
    if start + each.length.itemsize > len(data):
        raise ValueError("the file is cut short")
    length = int(np.frombuffer(data, each.length, 1, start)[0])
    if not 0 <= length <= len(data):
        raise ValueError(f"a list has {length} numbers")
    return length


def _read_rows(data: bytes, start: int, element: Element) -> tuple[_Table, int]:
    """Rows one by one, each with lists of its own lengths."""
    pieces: list[list[bytes]] = [[] for _ in element.properties]
    counts: list[list[int]] = [[] for _ in element.properties]
    for _ in range(element.count):
        for k, each in enumerate(element.properties):
            length = 1
            if each.length is not None:
                length = _length(data, start, each)
                start += each.length.itemsize
            size = each.dtype.itemsize * length
            if start + size > len(data):
                raise ValueError("the file is cut short")
            pieces[k].append(data[start : start + size])
            counts[k].append(length)
            start += size
    table = {}
    for k, each in enumerate(element.properties):
        values = np.frombuffer(b"".join(pieces[k]), each.dtype)
        table[each.name] = _Column(values, None if each.length is None else np.array(counts[k], np.int64))
    return table, start
