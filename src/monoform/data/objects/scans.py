"""Meshes to measure with, as published collections of scans lay them out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...errors import InputError
from ...inputs import listed_below, require_folder
from ...mesh.read import SUFFIXES
from .sources import Source, mesh_sources

PACK = "pack.json"
_SCANS = (("meshes", "model"), ("Scan", "Scan"))  # folder and name of a scan's mesh, in a folder of the object's name


def scan_sources(folder: str | Path) -> list[Source]:
    """The meshes of a folder, each under a name of its own.

    Known are folders with an index.csv, and folders of mesh files. Where files of one name stand in several folders, as
    model.obj in those of Google's scanned objects (NAME/meshes/model.obj) and Scan.obj in OmniObject3D
    (CATEGORY/NAME/Scan/Scan.obj), an object is called as the nearest folder above that tells it from the others, and
    its category as the one above that.

    Raises:
        InputError: there is no mesh, or the index is damaged.
    """
    root = Path(folder)
    require_folder(root, "data folder")
    if (root / PACK).is_file():
        raise InputError(
            f"{root} is a pack of pictures and samples, without meshes: give the folder that it was made of."
        )
    files = sorted(path for path in listed_below(root) if path.suffix.lower() in SUFFIXES)
    stems = Counter(path.stem for path in files)
    inside = [path.relative_to(root) for path in files]
    scans = all(len(path.parts) > 2 and (path.parts[-2], path.stem) in _SCANS for path in inside)
    if (root / "index.csv").is_file() or not files or (max(stems.values()) == 1 and not scans):
        return mesh_sources(root)
    names = _names(inside, 2 if scans else 0)
    return [
        Source(name, str(path), category=category, root=str(root))
        for path, (name, category) in zip(files, names, strict=True)
    ]


def _names(files: list[Path], level: int) -> list[tuple[str, str]]:
    """Name and category of each file, its name that of the folder so many levels up at least; 0: its own."""
    found = [path.parts[-1 - level] if level else path.stem for path in files]
    deepest = max(len(path.parts) for path in files) - 1
    while len(set(found)) < len(found) and level < deepest:
        level += 1
        found = [path.parts[max(0, len(path.parts) - 1 - level)] for path in files]
    if len(set(found)) < len(found):  # told apart by the whole way only
        return [("_".join(path.with_suffix("").parts), "") for path in files]
    above = [path.parts[: max(0, len(path.parts) - 1 - level)] for path in files]
    return [(name, parts[-1] if parts else "") for name, parts in zip(found, above, strict=True)]
