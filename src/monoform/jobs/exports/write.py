"""Files beside a result: each kind by its own module, all told in result.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...mesh import Mesh
from ...scene import Reconstruction
from .options import ExportOptions

FORMATS = {
    "obj": "the mesh, its texture beside it, for any 3D program",
    "ply": "the mesh with a color for each vertex",
    "stl": "the bare mesh",
    "3mf": "the mesh with colors, for slicers",
    "usdz": "the mesh with its texture, to be shown in the room by a phone",
}


@dataclass
class Exported:
    """What was written.

    Attributes:
        files: what is in each file, by its name.
        told: what result.json says besides, by name.
        notices: sentences about what deserves a look.
    """

    files: dict[str, str] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def write_exports(reconstruction: Reconstruction, mesh: Mesh, folder: Path, options: ExportOptions) -> Exported:
    """Write into `folder`, which holds the result's own files, what `options` asks for.

    Raises:
        InputError: the object lacks what a file needs; an optional package is not installed.
    """
    found = Exported()
    _write_formats(mesh, folder, options, found)
    return found


def _write_formats(mesh: Mesh, folder: Path, options: ExportOptions, found: Exported) -> None:
    for name in dict.fromkeys(options.formats):
        if name == "glb":  # each result has it
            continue
        before = {path.name for path in folder.iterdir()}
        mesh.export(folder / f"mesh.{name}")
        beside = {path.name for path in folder.iterdir()} - before - {f"mesh.{name}"}
        found.files[f"mesh.{name}"] = FORMATS[name]
        found.files |= dict.fromkeys(sorted(beside), f"belongs to mesh.{name}")
