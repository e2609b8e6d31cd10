"""Mesh files into a `Mesh`, through trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from ..errors import InputError
from .mesh import Mesh, repeats_a_vertex
from .texture_stack import Part, stack_parts

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")


def load(path: str | Path) -> Mesh:
    """Read a GLB, glTF, OBJ, PLY or STL file as one mesh in the file's own units.

    All nodes of a scene are joined with their transforms applied. Several textures, or textures beside plain
    colours, are joined into one image. Base colour factors are multiplied in; other material channels are ignored.

    Raises:
        InputError: the file is missing, not a mesh, has no faces, or has coordinates that are not finite.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is not a mesh file that can be read; give one of {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"Mesh file {path} does not exist; check the path.")
    try:
        scene = trimesh.load_scene(path, process=False)
        parts = [part for part in map(_part, *_placed(scene)) if part is not None]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # readers of foreign formats fail in many ways; the user needs one sentence
        raise InputError(f"{path} cannot be read as a mesh ({_reason(error)}); export it again.") from error
    if not parts:
        raise InputError(f"{path} holds no triangles; give a file with a surface, not points or lines.")
    return stack_parts(parts)


def _placed(scene: trimesh.Scene) -> tuple[list[Any], list[np.ndarray]]:
    nodes = [scene.graph[name] for name in scene.graph.nodes_geometry]
    return [scene.geometry[geometry] for _, geometry in nodes], [matrix for matrix, _ in nodes]


def _part(geometry: Any, world_from_node: np.ndarray) -> Part | None:
    if not isinstance(geometry, trimesh.Trimesh) or len(geometry.faces) == 0:
        return None
    faces = np.asarray(geometry.faces)
    faces = faces[~repeats_a_vertex(faces)]
    if len(faces) == 0:
        return None
    uv, texture, color, vertex_colors = _appearance(geometry)
    mesh = Mesh(
        np.asarray(geometry.vertices, dtype=np.float64),
        faces,
        uv=uv,
        vertex_colors=vertex_colors,
        vertex_attributes=_attributes(geometry),
    )
    return Part(mesh.submesh(np.arange(len(faces))).transformed(np.asarray(world_from_node)), texture, color)


def _appearance(geometry: trimesh.Trimesh) -> tuple:
    """(uv, texture, plain colour, vertex colours) of a geometry; at most one of the last three is set."""
    visual: Any = geometry.visual
    if visual.kind == "texture":
        material = visual.material
        factor = _base_factor(material)
        image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
        if image is not None and visual.uv is not None:
            return np.asarray(visual.uv, dtype=np.float64)[:, :2], _rgb(image, factor), None, None
        return None, None, _byte(factor), None
    if visual.kind in ("vertex", "face"):
        colors = visual.to_color().vertex_colors if visual.kind == "face" else visual.vertex_colors
        return None, None, None, np.ascontiguousarray(np.asarray(colors)[:, :3], dtype=np.uint8)
    return None, None, None, None


def _attributes(geometry: trimesh.Trimesh) -> dict[str, np.ndarray]:
    """One number for each vertex, by a name without the underscore that glTF asks for."""
    found = {name.lstrip("_").lower(): np.asarray(values) for name, values in geometry.vertex_attributes.items()}
    return {
        name: values.reshape(-1)
        for name, values in found.items()
        if name.isidentifier() and values.size == len(geometry.vertices) and np.isfinite(values).all()
    }


def _base_factor(material: Any) -> np.ndarray:
    factor = getattr(material, "baseColorFactor", None)
    if factor is None and not hasattr(material, "baseColorFactor") and getattr(material, "image", None) is None:
        factor = getattr(material, "diffuse", None)  # a texture replaces the diffuse colour of an OBJ material
    if factor is None:
        return np.ones(3)
    factor = np.asarray(factor)
    return factor[:3] / 255.0 if factor.dtype.kind in "ui" else factor[:3].astype(np.float64)


def _rgb(image: Image.Image, factor: np.ndarray) -> np.ndarray:
    pixels = np.array(image.convert("RGB"), dtype=np.uint8)
    return pixels if np.all(factor == 1.0) else np.rint(pixels * factor.clip(0, 1)).astype(np.uint8)


def _byte(color: np.ndarray) -> np.ndarray:
    return np.rint(255.0 * color.clip(0, 1)).astype(np.uint8)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:160]
