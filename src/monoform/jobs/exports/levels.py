"""Coarser meshes of an object, for what is far away: each collapsed from the one before."""

from __future__ import annotations

from pathlib import Path

from ...mesh import Mesh, bake, simplify
from ...mesh.formats.gltf_write import TextureFormat

FEWEST, SMALLEST = 100, 64  # faces, texels along a side


def levels(mesh: Mesh, count: int) -> list[Mesh]:
    """`count` meshes, each with a fourth of the faces and half the texture's side of the one before.

    The texture is baked from `mesh` itself, vertex colors and attributes are those of the nearest vertices.
    """
    found, shape = [], mesh
    side = SMALLEST if mesh.texture is None else min(mesh.texture.shape[:2])
    for _ in range(count):
        shape, side = simplify(shape, max(len(shape.faces) // 4, FEWEST)), max(side // 2, SMALLEST)
        bare = Mesh(shape.vertices, shape.faces, vertex_attributes=shape.vertex_attributes)
        found.append(shape if mesh.texture is None else bake.from_mesh(bare, mesh, side))
    return found


def write_levels(mesh: Mesh, folder: Path, count: int, texture_format: TextureFormat) -> dict[str, str]:
    """Write mesh_lod1.glb and so on; what is in each file, by its name."""
    told = {}
    for number, coarser in enumerate(levels(mesh, count), start=1):
        name = f"mesh_lod{number}.glb"
        coarser.export(folder / name, texture_format=texture_format)
        told[name] = f"the mesh with {len(coarser.faces):,} faces"
    return told
