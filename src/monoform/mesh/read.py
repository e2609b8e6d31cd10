"""Mesh files into a `Mesh`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from ..inputs import read_bytes
from .formats.gltf_read import read_gltf
from .formats.neighbors import Neighbors
from .formats.obj_read import read_obj
from .formats.ply_read import read_ply, read_ply_points
from .formats.stl_read import read_stl
from .mesh import Mesh
from .texture_stack import Part, stack_parts

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")


def load(path: str | Path, *, root: str | Path | None = None, appearance: bool = True) -> Mesh:
    """Read a GLB, glTF, OBJ, PLY or STL file as one mesh in the file's own units.

    All nodes of a scene are joined with their transforms applied; polygons become triangles. Colors are those for
    display (sRGB): factors and vertex colors of glTF, which are linear light, are converted. Several textures, or
    textures beside plain colors, are joined into one image. Opacity and other material channels are ignored.

    Args:
        path: the file, with up to 10 million triangles and 6 million vertices.
        root: the folder in which textures and buffers named by the file may lie; None is the folder of the file.
        appearance: whether colors are read; without, textures of OBJ, PLY and glTF need not be there.

    Raises:
        InputError: the file is missing, not a mesh, has no faces, has coordinates that are not finite, lacks one of its
            textures or buffers, or needs an extension that is not supported.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is not a mesh file that can be read; give one of {', '.join(SUFFIXES)}.")
    files = Neighbors(path, None if root is None else Path(root))
    data = files.read_mesh()
    if not data:
        raise InputError(f"{path} is empty (zero bytes).")
    try:
        with np.errstate(all="ignore"):  # numbers that overflow are found and refused as not finite
            parts = _parts(data, path.suffix.lower(), files, appearance)
            del data
            if parts:
                return stack_parts(parts)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # damaged files fail in many ways; the user needs one sentence
        raise InputError(f"{path} cannot be read as a mesh ({_reason(error)}); export it again.") from error
    raise InputError(f"{path} holds no triangles; give a file with a surface, not points or lines.")


def load_points(path: str | Path) -> Float[np.ndarray, "n 3"]:
    """The points of a PLY file: a cloud, or the vertices of a mesh.

    Raises:
        InputError: the file is missing, damaged, or has no points or such as are not finite.
    """
    data = read_bytes(path)
    try:
        return read_ply_points(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # as above
        raise InputError(f"{path} cannot be read as points ({_reason(error)}); export it again.") from error


def _parts(data: bytes, suffix: str, files: Neighbors, appearance: bool) -> list[Part]:
    match suffix:
        case ".obj":
            return read_obj(data, files, appearance=appearance)
        case ".ply":
            return read_ply(data, files, appearance=appearance)
        case ".stl":
            return read_stl(data)
        case _:
            return read_gltf(data, files, appearance=appearance)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:160]
