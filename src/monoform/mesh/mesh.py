"""The mesh every part of the house passes around."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from ..errors import InputError
from ..outputs.notebook import pictures_html
from .shading import corner_normals

if TYPE_CHECKING:
    from ..camera import Camera


_IS_MERGED = "_is_merged"


class MeshFiles(Protocol):
    """Reads and writes meshes."""

    def load(self, path: str | Path) -> Mesh: ...

    def export(
        self,
        mesh: Mesh,
        path: str | Path,
        *,
        camera: Camera | None = None,
        texture_format: Literal["png", "jpg", "webp"] = "png",
    ) -> Path: ...


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with an optional texture, in the world frame (right-handed, y up).

    Faces are counter-clockwise seen from outside. `uv` has its origin at the bottom left of the texture and v
    upwards (the OpenGL convention; glTF files store 1 - v, which the reader and the writer convert); values outside
    [0, 1] repeat the texture. Row 0 of `texture` is its top row. Along texture seams vertices are duplicated:
    `merged()` is the same surface with one vertex for each position.

    Raises:
        InputError: an array has the wrong shape, an index points nowhere, or a number is not finite.
    """

    files: ClassVar[MeshFiles]  # the package enters its readers and writers, which know meshes themselves
    drawn: ClassVar[Callable[[Mesh], Sequence[UInt8[np.ndarray, "_ _ 3"]]] | None] = None  # entered by what renders

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "v 2"] | None = None
    texture: UInt8[np.ndarray, "h w 3"] | None = None
    vertex_colors: UInt8[np.ndarray, "v 3"] | None = None
    vertex_attributes: Mapping[str, Shaped[np.ndarray, " v"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vertices = np.ascontiguousarray(self.vertices, dtype=np.float64)
        faces = np.ascontiguousarray(self.faces, dtype=np.int64)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise InputError(f"Mesh vertices have shape {vertices.shape}; give one row of x, y, z for each vertex.")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise InputError(f"Mesh faces have shape {faces.shape}; give one row of three indices for each triangle.")
        if not np.isfinite(vertices).all():
            bad = int((~np.isfinite(vertices).all(axis=1)).sum())
            raise InputError(f"{bad} mesh vertices are not finite numbers; remove them or export the mesh again.")
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise InputError(f"A mesh face names vertex {faces.max()} of {len(vertices)}; the face list is damaged.")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)
        if self.uv is not None:
            object.__setattr__(self, "uv", np.ascontiguousarray(self.uv, dtype=np.float64))
            _check_rows("uv", self.uv, len(vertices))
            if not np.isfinite(self.uv).all():
                raise InputError("Some texture coordinates are not finite numbers; export the mesh again.")
        if self.vertex_colors is not None:
            _check_rows("vertex_colors", self.vertex_colors, len(vertices))
        for name, values in self.vertex_attributes.items():
            _check_rows(f"vertex attribute {name!r}", values, len(vertices))

    def __repr__(self) -> str:
        if self.texture is not None:
            color = f", texture of {self.texture.shape[1]} x {self.texture.shape[0]} pixels"
        else:
            color = "" if self.vertex_colors is None else ", colored vertices"
        return f"<Mesh of {len(self.vertices):,} vertices and {len(self.faces):,} faces{color}>"

    def _repr_html_(self) -> str | None:
        """For notebooks: the mesh from four sides."""
        if Mesh.drawn is None or not len(self.faces):
            return None
        return pictures_html(Mesh.drawn(self), repr(self))

    def __getstate__(self) -> dict[str, object]:
        """The fields alone: what was worked out from them (a ray caster, for one) cannot always be pickled."""
        return {each.name: self.__dict__[each.name] for each in fields(self)}

    @classmethod
    def load(cls, path: str | Path) -> Mesh:
        """Read a GLB, glTF, OBJ, PLY or STL file; see `monoform.mesh.load`."""
        return cls.files.load(path)

    def export(
        self,
        path: str | Path,
        camera: Camera | None = None,
        *,
        texture_format: Literal["png", "jpg", "webp"] = "png",
    ) -> Path:
        """Write the mesh in the format that the suffix of `path` names; see `monoform.mesh.export`."""
        return self.files.export(self, path, camera=camera, texture_format=texture_format)

    @cached_property
    def merged_index(self) -> Int[np.ndarray, " v"]:
        """For each vertex, the number of its position among the distinct positions."""
        order = np.lexsort(self.vertices.T)
        ordered = self.vertices[order]
        changes = np.any(ordered[1:] != ordered[:-1], axis=1)
        index = np.empty(len(order), np.int64)
        index[order] = np.concatenate([[0], np.cumsum(changes)])[: len(order)]
        return index

    def merged(self) -> Mesh:
        """The same surface with one vertex for each position: no texture, no faces that have collapsed.

        Colours and attributes of vertices that share a position are those of the first of them.
        """
        return self if self.__dict__.get(_IS_MERGED) else self._merged

    @cached_property
    def _merged(self) -> Mesh:
        inverse = self.merged_index
        _, first = np.unique(inverse, return_index=True)
        faces = inverse[self.faces]
        return merged_already(
            Mesh(
                self.vertices[first],
                faces[~repeats_a_vertex(faces)],
                vertex_colors=None if self.vertex_colors is None else self.vertex_colors[first],
                vertex_attributes={name: values[first] for name, values in self.vertex_attributes.items()},
            )
        )

    def submesh(self, faces: Int[np.ndarray, " n"] | Bool[np.ndarray, " f"]) -> Mesh:
        """The part made of these faces (indices or a mask), with only the vertices that it uses."""
        chosen = self.faces[faces]
        names = np.zeros(len(self.vertices), np.int64)
        names[chosen] = 1
        used = np.flatnonzero(names)
        names[used] = np.arange(len(used))
        part = Mesh(
            self.vertices[used],
            names[chosen],
            uv=None if self.uv is None else self.uv[used],
            texture=self.texture,
            vertex_colors=None if self.vertex_colors is None else self.vertex_colors[used],
            vertex_attributes={name: values[used] for name, values in self.vertex_attributes.items()},
        )
        return merged_already(part) if self.__dict__.get(_IS_MERGED) else part

    def transformed(self, target_from_mesh: Float[np.ndarray, "4 4"]) -> Mesh:
        """The mesh after an affine transform; a mirroring one also turns the faces over, so outside stays outside."""
        linear, offset = target_from_mesh[:3, :3], target_from_mesh[:3, 3]
        mirrored = bool(np.linalg.det(linear) < 0)
        return replace(
            self,
            vertices=self.vertices @ linear.T + offset,
            faces=self.faces[:, ::-1] if mirrored else self.faces,
        )

    @cached_property
    def triangles(self) -> Float[np.ndarray, "f 3 3"]:
        """Corner positions of each face."""
        return self.vertices[self.faces]

    @cached_property
    def face_areas(self) -> Float[np.ndarray, " f"]:
        """Area of each face."""
        return 0.5 * np.linalg.norm(_cross(self.triangles), axis=1)

    @cached_property
    def face_normals(self) -> Float[np.ndarray, "f 3"]:
        """Unit outward normal of each face; zero for a face without area."""
        return _unit(_cross(self.triangles))

    @cached_property
    def normals(self) -> Float[np.ndarray, "v 3"]:
        """Unit vertex normals, weighted by area over all faces at the position, so that seams do not show."""
        index = self.merged_index
        corners = index[self.faces].reshape(-1)
        weighted = np.repeat(_cross(self.triangles), 3, axis=0)
        count = int(index.max()) + 1 if len(index) else 0
        sums = np.stack([np.bincount(corners, weights=weighted[:, axis], minlength=count) for axis in range(3)], axis=1)
        return _unit(sums)[index]

    @cached_property
    def corner_normals(self) -> Float[np.ndarray, "f 3 3"]:
        """Unit normals for shading at each face's corners, smooth except at hard edges; see `mesh.shading`."""
        return corner_normals(self.merged_index[self.faces], self.face_normals, self.face_areas)

    @cached_property
    def used_vertices(self) -> Float[np.ndarray, "n 3"]:
        """The vertices that faces use."""
        used = np.zeros(len(self.vertices), bool)
        used[self.faces] = True
        return self.vertices[used]

    @cached_property
    def bounds(self) -> Float[np.ndarray, "2 3"]:
        """Smallest and largest corner of the box around the vertices that faces use."""
        used = self.used_vertices if len(self.faces) else np.zeros((1, 3))
        return np.stack([used.min(axis=0), used.max(axis=0)])


def merged_already(mesh: Mesh) -> Mesh:
    """The mesh, known to have one vertex for each position and no collapsed faces: merging it changes nothing."""
    mesh.__dict__[_IS_MERGED] = True
    mesh.__dict__["merged_index"] = np.arange(len(mesh.vertices))
    return mesh


def repeats_a_vertex(faces: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, " f"]:
    """Which faces name a vertex twice."""
    a, b, c = faces.T
    return (a == b) | (b == c) | (c == a)


def _cross(triangles: np.ndarray) -> np.ndarray:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _check_rows(name: str, values: np.ndarray | None, count: int) -> None:
    if values is not None and len(values) != count:
        raise InputError(f"Mesh {name} has {len(values)} rows for {count} vertices; give one row for each vertex.")
