"""A `Mesh` into a file; GLB files carry the texture and the photo's camera."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from ..errors import InputError
from ..outputs import atomic_file
from .formats.gltf_write import glb_bytes, gltf_normals
from .mesh import Mesh

if TYPE_CHECKING:
    from ..camera import Camera

_OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
_NEAR = 0.01


def export(mesh: Mesh, path: str | Path, *, camera: Camera | None = None) -> Path:
    """Write `mesh` as .glb, .obj (with .mtl and texture beside it), .ply or .stl; the file appears whole or not at all.

    A GLB gets `camera` as a node with the camera's pose in glTF axes (x right, y up, z backward), perspective or
    orthographic. glTF cameras look through the middle of the image with square pixels; the exact camera.json record
    is kept in the node's extras. Other formats have no place for a camera. STL has no colors, PLY only those of
    vertices. A GLB holds vertex colors as linear light, as glTF asks for; OBJ and PLY hold them as they are. A GLB
    keeps vertex attributes, float32, each under its name after an underscore (_CONFIDENCE).

    Raises:
        InputError: the mesh has no faces, the suffix is unknown, or the file cannot be written.
    """
    path = Path(path)
    writers = {".glb": _write_glb, ".obj": _write_obj, ".ply": _write_plain, ".stl": _write_plain}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"Cannot write a mesh as {path.name!r}; end the name in one of {', '.join(writers)}.")
    if len(mesh.faces) == 0:
        raise InputError(f"Cannot write {path}: the mesh has no faces.")
    if camera is not None and len(camera) != 1:
        raise InputError(f"A mesh file holds one camera, not {len(camera)}; choose one, for example camera[0].")
    writer(mesh, path, camera)
    return path


def write_points(points: Float[np.ndarray, "n 3"], path: str | Path) -> Path:
    """Write points as .ply, binary, float32; the file appears whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{axes}end_header\n"
    with atomic_file(path) as temporary:
        temporary.write_bytes(header.encode() + np.ascontiguousarray(points, "<f4").tobytes())
    return Path(path)


def _write_glb(mesh: Mesh, path: Path, camera: Camera | None) -> None:
    def finish(tree: dict[str, Any]) -> None:
        if camera is not None:
            add_camera_node(tree, camera)

    data = glb_bytes(mesh, finish)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def add_camera_node(tree: dict[str, Any], camera: Camera) -> None:
    """Put `camera` into a glTF tree as a root node (glTF 2.0, section 3.10)."""
    record = camera.to_dict()
    world_from_camera = np.asarray(record["world_from_camera"], dtype=np.float64)
    matrix = world_from_camera @ _OPENGL_FROM_OPENCV
    tree["cameras"] = [_gltf_camera(camera, np.asarray(record["intrinsics"], dtype=np.float64))]
    tree.setdefault("nodes", []).append(
        {"name": "photo_camera", "camera": 0, "matrix": matrix.T.reshape(-1).tolist(), "extras": {"camera": record}}
    )
    scene = tree["scenes"][tree.get("scene", 0)]
    scene.setdefault("nodes", []).append(len(tree["nodes"]) - 1)


def _gltf_camera(camera: Camera, intrinsics: np.ndarray) -> dict[str, Any]:
    fx, fy = float(intrinsics[0, 0]), float(intrinsics[1, 1])
    if camera.model == "orthographic":
        magnification = {"xmag": camera.width / (2 * fx), "ymag": camera.height / (2 * fy)}
        return {"name": "photo", "type": "orthographic", "orthographic": {**magnification, "znear": 0.0, "zfar": 100.0}}
    tan_x, tan_y = camera.width / (2 * fx), camera.height / (2 * fy)
    lens = {"yfov": 2 * math.atan(tan_y), "aspectRatio": tan_x / tan_y, "znear": _NEAR}
    return {"name": "photo", "type": "perspective", "perspective": lens}


def _write_obj(mesh: Mesh, path: Path, camera: Camera | None) -> None:
    """OBJ keeps its material and texture in files beside it; the OBJ itself is renamed into place last."""
    import trimesh  # slow to import, and a GLB needs none of it

    name = path.stem
    text, side_files = trimesh.exchange.obj.export_obj(
        _as_trimesh(mesh, name), return_texture=True, mtl_name=f"{name}.mtl", include_normals=False
    )
    with atomic_file(path) as temporary, ExitStack() as stack:  # all files or none
        for side_name, data in side_files.items():
            stack.enter_context(atomic_file(path.parent / side_name)).write_bytes(data)
        temporary.write_text(text)


def _write_plain(mesh: Mesh, path: Path, camera: Camera | None) -> None:
    import trimesh

    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, vertex_colors=mesh.vertex_colors)
    data: Any = solid.export(file_type=path.suffix.lower()[1:])
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def _as_trimesh(mesh: Mesh, material_name: str = "baked") -> Any:
    import trimesh

    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, vertex_normals=gltf_normals(mesh))
    if mesh.uv is not None and mesh.texture is not None:
        material = trimesh.visual.material.PBRMaterial(
            name=material_name,
            baseColorTexture=Image.fromarray(mesh.texture),
            metallicFactor=0.0,
            roughnessFactor=1.0,
            doubleSided=False,
        )
        solid.visual = trimesh.visual.TextureVisuals(uv=mesh.uv, material=material)
    elif mesh.vertex_colors is not None:
        solid.visual = trimesh.visual.ColorVisuals(solid, vertex_colors=mesh.vertex_colors)
    return solid
