"""Meshes to measure with, as published collections of scans lay them out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from ...errors import InputError
from ...inputs import listed_below, read_json, require_folder
from ...mesh.read import SUFFIXES
from .sources import Source, mesh_sources

PACK = "pack.json"


def scan_sources(folder: str | Path) -> list[Source]:
    """The meshes of a folder, each under a name of its own.

    Known are folders with an index.csv; packs of `monoform prepare meshes`, whose mesh files are still where they were;
    and folders of mesh files. Where files of one name stand in several folders, as model.obj in those of Google's
    scanned objects (NAME/meshes/model.obj) and Scan.obj in OmniObject3D (CATEGORY/NAME/Scan/Scan.obj), an object is
    called as the nearest folder above that tells it from the others, and its category as the one above that.

    Raises:
        InputError: there is no mesh, or the index is damaged.
    """
    root = Path(folder)
    require_folder(root, "data folder")
    if (root / PACK).is_file():
        return _packed(root)
    files = sorted(path for path in listed_below(root) if path.suffix.lower() in SUFFIXES)
    stems = Counter(path.stem for path in files)
    if (root / "index.csv").is_file() or not files or max(stems.values()) == 1:
        return mesh_sources(root)
    names = _names([path.relative_to(root) for path in files])
    return [
        Source(name, str(path), category=category, root=str(root))
        for path, (name, category) in zip(files, names, strict=True)
    ]


def _names(files: list[Path]) -> list[tuple[str, str]]:
    """Name and category of each file."""
    level, found = 0, [path.stem for path in files]
    deepest = max(len(path.parts) for path in files) - 1
    while len(set(found)) < len(found) and level < deepest:
        level += 1
        found = [path.parts[max(0, len(path.parts) - 1 - level)] for path in files]
    if len(set(found)) < len(found):  # told apart by the whole way only
        return [("_".join(path.with_suffix("").parts), "") for path in files]
    above = [path.parts[: max(0, len(path.parts) - 1 - level)] for path in files]
    return [(name, parts[-1] if parts else "") for name, parts in zip(found, above, strict=True)]


def _packed(root: Path) -> list[Source]:
    """Those objects of a pack that are as their mesh files are."""
    index = read_json(root / PACK, advice="prepare the data again")
    try:
        entries = [
            (entry["name"], entry.get("path"), entry["category"], entry.get("variant", 0)) for entry in index["objects"]
        ]
        found = [
            Source(str(name), str(path), category=str(kind))
            for name, path, kind, variant in entries
            if path and not variant
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{root / PACK} is damaged; prepare the data again.") from error
    there = [replace(each, root=str(Path(each.path or "").parent)) for each in found if Path(each.path or "").is_file()]
    if not there:
        raise InputError(f"None of the mesh files that {root} was made of is still there: give their folder.")
    return there
