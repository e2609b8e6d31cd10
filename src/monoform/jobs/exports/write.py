"""Files beside a result: each kind by its own module, all told in result.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...mesh import Mesh, write_splats
from ...scene import Reconstruction
from ...scene.photo_camera import working_camera
from ...scene.result_files import PHOTO
from ...text import printable
from .camera_files import write_cameras
from .levels import write_levels
from .maps import write_maps
from .options import ExportOptions
from .prints import Z_UP, Printable, printable_solid
from .simulation import body_of, write_body

METERS = ("glb", "usdz")  # formats with y up and units of a meter
FORMATS = {
    "glb": "the mesh with its texture, for any 3D program",
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
    solid = printable_solid(mesh, options.printing) if options.printing else None
    if solid is not None:
        found.told["print"] = solid.told
        found.notices += solid.notices
    if solid is not None and (options.formats or not options.simulators):
        _write_prints(solid.mesh, folder, options, found)
    elif solid is None:
        _write_formats(folder, "mesh", dict.fromkeys(options.formats, mesh), found)
    if options.lod:
        found.files |= write_levels(mesh, folder, options.lod, options.texture_format)
    if options.maps:
        _write_maps(reconstruction, mesh, folder, options, found)
    if options.splats:
        write_splats(mesh, folder / "splats.ply", options.splats)
        found.files["splats.ply"] = f"{options.splats:,} Gaussians of the surface, for viewers of splats"
    if options.simulators:
        _write_simulation(mesh, solid, folder, options, found, reconstruction)
    if options.camera_files:
        _write_cameras(reconstruction, mesh, folder, options, found)
    return found


def _write_simulation(
    mesh: Mesh,
    solid: Printable | None,
    folder: Path,
    options: ExportOptions,
    found: Exported,
    reconstruction: Reconstruction,
) -> None:
    if solid is None:
        body_mesh = outer = mesh.transformed(Z_UP)
        found.notices.append("For simulators a unit of the mesh is a meter: --size-mm gives the object its size.")
    else:
        meters = np.diag([1e-3, 1e-3, 1e-3, 1.0])
        body_mesh, outer = solid.mesh.transformed(meters), solid.outer.transformed(meters)
    body = body_of(body_mesh, outer=outer, density=options.density, parts=options.convex_parts)
    name = reconstruction.photo.name if reconstruction.has_photo else "object"
    found.files |= write_body(body, folder, options.simulators, printable(name))
    found.told["simulation"] = body.told
    found.notices += body.notices


def _write_cameras(
    reconstruction: Reconstruction, mesh: Mesh, folder: Path, options: ExportOptions, found: Exported
) -> None:
    if not reconstruction.has_camera:
        found.notices.append("There are no files of a camera: nothing is known of a photo's camera.")
        return
    camera, formats = reconstruction.camera, options.camera_files
    camera = working_camera(camera, reconstruction.photo)  # photo.jpg has the working size
    if camera.model != "pinhole":
        formats = tuple(each for each in formats if each == "blender")
        if formats != options.camera_files:
            found.notices.append("nerfstudio and COLMAP cannot hold this camera, which is orthographic.")
    found.files |= write_cameras(camera, mesh, PHOTO, folder, formats)


def _write_maps(
    reconstruction: Reconstruction, mesh: Mesh, folder: Path, options: ExportOptions, found: Exported
) -> None:
    if reconstruction.has_camera:
        found.files |= write_maps(mesh, reconstruction.camera, folder, options.maps)
    else:
        found.notices.append("There are no maps: nothing is known of a photo's camera.")


def _write_prints(solid: Mesh, folder: Path, options: ExportOptions, found: Exported) -> None:
    """The solid in millimeters, z up; where a format's unit is the meter and its up is y, in those."""
    upright = solid.transformed(np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ np.linalg.inv(Z_UP))
    formats = options.formats or ("3mf",)
    _write_formats(folder, "print", {name: upright if name in METERS else solid for name in formats}, found)


def _write_formats(folder: Path, stem: str, meshes: Mapping[str, Mesh], found: Exported) -> None:
    for name, each in meshes.items():
        file = f"{stem}.{name}"
        if (folder / file).exists():  # each result has its mesh.glb
            continue
        before = {path.name for path in folder.iterdir()}
        each.export(folder / file)
        beside = {path.name for path in folder.iterdir()} - before - {file}
        found.files[file] = FORMATS[name]
        found.files |= dict.fromkeys(sorted(beside), f"belongs to {file}")
