"""Files for other programs of a result that is there already."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..inputs import require_folder
from ..outputs import Kind, atomic_folder
from ..progress import work
from ..scene import load
from ..scene.result_files import MESH, PHOTO, result_in, write_json
from .exports import ExportOptions, write_exports
from .turntables import TURNTABLE, write_turntables

RECORD = "exports.json"
EXPORTED = Kind("export of monoform", RECORD, lambda record: record["files"])


def export_result(
    folder: str | Path, out: str | Path, options: ExportOptions | None = None, *, frames: int = 60
) -> dict[str, Any]:
    """Write files for other programs of a result folder; `out` appears whole or not at all.

    Args:
        folder: of the result, or one that holds no other.
        out: new folder, or one of an earlier export; it gets mesh.glb, photo.jpg, what is asked for, and exports.json.
        options: what is asked for.
        frames: of one turn, where films are asked for.

    Returns:
        What exports.json holds: `exports`, what is in each file; the numbers of solids; `notices`; `files`.

    Raises:
        InputError: the result cannot be read, what is asked for cannot be written, or `out` holds something else.
    """
    options = options or ExportOptions()
    require_folder(folder, "result folder")
    source = result_in(folder)
    found = load(source)
    mesh = found.mesh()
    with atomic_folder(out, EXPORTED, inputs=(source, options.camera_path)) as place:
        camera = found.camera if found.has_camera else None
        mesh.export(place / MESH, camera=camera, texture_format=options.texture_format)
        if (source / PHOTO).is_file():
            shutil.copyfile(source / PHOTO, place / PHOTO)
        with work("writing further files"):
            exported = write_exports(found, mesh, place, options)
        films = {}
        if options.films or options.camera_path is not None:
            with work("making the turntable"):
                films = write_turntables(found, mesh, options, place, frames=frames)
            films[TURNTABLE] = "film of the object"
        names = sorted({path.name for path in place.iterdir()} | {RECORD})
        record = {"exports": exported.files | films} | exported.told | {"notices": exported.notices, "files": names}
        write_json(place / RECORD, record)
    return record
