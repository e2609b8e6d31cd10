"""A `Mesh` into a file; GLB files carry the texture and the photo's camera."""

from __future__ import annotations

import math
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from ..errors import InputError
from ..outputs import atomic_file
from .formats.gltf_write import TextureFormat, glb_bytes, gltf_normals
from .formats.ply_write import ply_bytes
from .formats.splat_write import splat_bytes
from .formats.threemf_write import threemf_bytes
from .formats.usdz_write import usdz_bytes
from .mesh import Mesh

if TYPE_CHECKING:
    from ..camera import Camera

_OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
_NEAR = 0.01


def export(
    mesh: Mesh, path: str | Path, *, camera: Camera | None = None, texture_format: TextureFormat = "png"
) -> Path:
    """Write `mesh` as .glb, .obj (with .mtl and texture beside it), .ply, .stl, .3mf or .usdz, whole or not at all.

    A GLB gets `camera` as a node with the camera's pose in glTF axes (x right, y up, z backward), perspective or
    orthographic. glTF cameras look through the middle of the image with square pixels; the exact camera.json record
    is kept in the node's extras. Other formats have no place for a camera. STL has no colors; PLY and 3MF have those
    of vertices, a texture's at its place. Coordinates are written as they are: 3MF takes them for millimeters, GLB and
    USDZ for meters. A GLB and a USDZ hold vertex colors as linear light, as they ask for; the others hold them as they
    are. A GLB keeps vertex attributes, float32, each under its name after an underscore (_CONFIDENCE), a PLY under its
    name.

    Args:
        camera: of a photo, for a GLB.
        texture_format: of a GLB's texture; "jpg" and "webp" are smaller and lose a little, and WebP is an extension
            that not all readers know.

    Raises:
        InputError: the mesh has no faces or too large numbers, the suffix is unknown, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"Cannot write a mesh as {path.name!r}; end the name in one of {', '.join(SUFFIXES)}.")
    if len(mesh.faces) == 0:
        raise InputError(f"Cannot write {path}: the mesh has no faces.")
    if not (np.abs(mesh.vertices) <= np.finfo(np.float32).max).all():
        raise InputError(f"Cannot write {path}: a coordinate is too large for float32; scale the mesh down.")
    if camera is not None and len(camera) != 1:
        raise InputError(f"A mesh file holds one camera, not {len(camera)}; choose one, for example camera[0].")
    if suffix == ".glb":
        _write_glb(mesh, path, camera, texture_format)
    elif suffix == ".obj":
        _write_obj(mesh, path)
    else:
        data = _BYTES[suffix](mesh)
        with atomic_file(path) as temporary:
            temporary.write_bytes(data)
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


def write_splats(mesh: Mesh, path: str | Path, count: int = 100_000, *, seed: int = 0) -> Path:
    """Write the surface as Gaussians in the .ply of 3D Gaussian splatting (Kerbl et al. 2023); see `splat_bytes`.

    Args:
        count: of the Gaussians, spread evenly by area.
        seed: of their places.

    Raises:
        InputError: the mesh has no area, or the file cannot be written.
    """
    data = splat_bytes(mesh, count, seed=seed)
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def _write_glb(mesh: Mesh, path: Path, camera: Camera | None, texture_format: TextureFormat) -> None:
    def finish(tree: dict[str, Any]) -> None:
        if camera is not None:
            add_camera_node(tree, camera)

    data = glb_bytes(mesh, finish, texture_format)
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


def _write_obj(mesh: Mesh, path: Path) -> None:
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


def _stl_bytes(mesh: Mesh) -> bytes:
    """Binary STL: after 80 bytes and the count, of each face its normal, its corners and two bytes more."""
    rows = np.zeros(len(mesh.faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])
    rows["normal"], rows["corners"] = mesh.face_normals, mesh.triangles
    return b"written by monoform".ljust(80) + struct.pack("<I", len(rows)) + rows.tobytes()


_BYTES = {".ply": ply_bytes, ".stl": _stl_bytes, ".3mf": threemf_bytes, ".usdz": usdz_bytes}
SUFFIXES = (".glb", ".obj", *_BYTES)


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
