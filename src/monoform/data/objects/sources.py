"""Where training objects come from: mesh files with their credits, widened copies of them, procedural ones."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...inputs import listed_below, read_text, require_folder
from ...mesh import Mesh
from ...mesh.read import SUFFIXES, load
from ...outputs import require_name
from ...renamed import renamed
from .augment import augmented, fitted
from .procedural import procedural_object
from .procedural_cars import procedural_car

VARIANT = "~"  # NAME~2 is the second widened copy of NAME


@renamed(licence="license")
@dataclass(frozen=True)
class Source:
    """One object to be made.

    Attributes:
        name: of the object, unique in a pack.
        path: mesh file; None for a procedural object.
        category: of the object; may be empty.
        license: of the mesh file.
        credit: who is to be named.
        texture_kind: of the mesh, as its index says.
        front: axis of the mesh that points to its front, as in "+z".
        variant: 0 for the object as it is, above for its augmented copies.
        companion: mesh file of a second object that is put beside it.
        kind: of a procedural object: "car", empty for any other.
        root: folder within which the mesh files may name their textures; None is the folder of each file.
    """

    name: str
    path: str | None = None
    category: str = ""
    license: str = ""
    credit: str = ""
    texture_kind: str = ""
    front: str = ""
    variant: int = 0
    companion: str | None = None
    kind: str = ""
    root: str | None = None

    @property
    def base_name(self) -> str:
        """The name without the number of the variant."""
        return self.name.split(VARIANT)[0]

    def stored(self) -> dict[str, Any]:
        """Fields by the keys of stored files, which spell the license otherwise."""
        values = asdict(self)
        return {**values, "licence": values.pop("license")}

    def generator(self, seed: int) -> np.random.Generator:
        """Randomness of this object alone: the same whatever else is in the list."""
        return np.random.default_rng([seed, zlib.crc32(self.name.encode())])


def mesh_sources(data: str | Path | Sequence[str | Path]) -> list[Source]:
    """The meshes of a folder, or of a list of files.

    A folder's index.csv (columns path and name, further category, licence, source, texture_kind, front) is followed if
    there is one; otherwise all mesh files below the folder are taken, the category being the name of their folder.
    Meshes of one name in several categories are named NAME@CATEGORY.

    Raises:
        InputError: there is no mesh, the index lacks a column, or two meshes of a category share a name.
    """
    if isinstance(data, (str, Path)):
        folder = Path(data)
        require_folder(folder, "data folder")
        index = folder / "index.csv"
        files = sorted(path for path in listed_below(folder) if path.suffix.lower() in SUFFIXES)
        sources = _indexed(index) if index.is_file() else [_plain(path, folder) for path in files]
    else:
        sources = [_plain(Path(path)) for path in data]
    if not sources:
        raise InputError(f"There is no mesh in {data}; give a folder with {', '.join(SUFFIXES)} files.")
    return _told_apart(sources)


def _told_apart(sources: list[Source]) -> list[Source]:
    """Sources that share a name get @CATEGORY behind it."""
    uses = Counter(source.name for source in sources)
    named = [replace(s, name=f"{s.name}@{s.category}") if uses[s.name] > 1 else s for s in sources]
    for name, count in Counter(source.name for source in named).items():
        if count > 1:
            raise InputError(f"{count} meshes are named {name}; rename all but one, names tell them apart.")
    return named


def require_names(sources: Sequence[Source]) -> None:
    """Look at the names that become folders: one that is a path would lead elsewhere.

    Raises:
        InputError: a name or a category cannot be the name of one folder.
    """
    for source in sources:
        require_name(source.name)
        require_name(source.category or "objects")


def augmented_sources(sources: Sequence[Source], copies: int, *, composed: float = 0.1, seed: int = 0) -> list[Source]:
    """`copies` widened copies of every source; the share `composed` of them is put together with another source.

    Leave out what must not be trained on before: a companion can be any of the sources that have a file.
    """
    generator = np.random.default_rng([seed, copies])
    files = [source.path for source in sources if source.path]
    result = []
    for k in range(1, copies + 1):
        for source in sources:
            companion = files[generator.integers(len(files))] if files and generator.random() < composed else None
            name = f"{source.name}{VARIANT}{k}"
            result.append(replace(source, name=name, variant=k, companion=companion))
    return result


def procedural_sources(count: int) -> list[Source]:
    """`count` objects of `monoform.data.objects.procedural`."""
    return [Source(f"procedural_{i:05d}", category="procedural", license="CC0-1.0") for i in range(count)]


def procedural_cars(count: int) -> list[Source]:
    """`count` cars of `monoform.data.objects.procedural_cars`."""
    return [Source(f"car_{i:05d}", category="car", license="CC0-1.0", front="+z", kind="car") for i in range(count)]


def request_digest(format: int, sources: Sequence[Source], options: Any) -> str:
    """A digest of what is asked for, the bytes of the meshes included: what was made for another one is not continued.

    Args:
        format: of what is written.
        sources: the objects; a file that cannot be read counts as empty, its fault is told when it is loaded.
        options: a dataclass of plain values.
    """
    files = {path for source in sources for path in (source.path, source.companion) if path is not None}
    contents = {path: _digest(Path(path)) for path in sorted(files)}
    text = json.dumps([format, [source.stored() for source in sources], asdict(options), contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def load_source(source: Source, *, seed: int) -> Mesh:
    """The mesh of a source, centred and scaled to touch the sphere of radius 0.5; widened copies differ by `seed`.

    Raises:
        InputError: the file cannot be read, or the mesh has no extent.
    """
    generator = source.generator(seed)
    make = procedural_car if source.kind == "car" else procedural_object
    mesh = make(generator=generator) if source.path is None else load(source.path, root=source.root)
    if source.variant:
        other = None if source.companion is None else load(source.companion, root=source.root)
        return augmented(mesh, generator=generator, other=other)
    return fitted(mesh)


def _plain(path: Path, root: Path | None = None) -> Source:
    return Source(path.stem, str(path), category=path.parent.name, root=None if root is None else str(root))


def _indexed(index: Path) -> list[Source]:
    rows = csv.DictReader(io.StringIO(read_text(index, advice="write it again")))
    try:
        columns = rows.fieldnames or ()
        missing = [column for column in ("path", "name") if column not in columns]
        if missing:
            raise InputError(f"{index} has no column {missing[0]!r}; add it or remove the file.")
        return [_of_row(row, index) for row in rows]
    except csv.Error as error:
        raise InputError(f"{index}, line {rows.line_num}, is no table ({error}); write it again.") from error


def _of_row(row: dict[str, str | None], index: Path) -> Source:
    name, path = row["name"], row["path"]
    if not name or not path:
        raise InputError(f"{index} has a line without a name or a path; complete it.")
    return Source(
        name=name,
        path=str(index.parent / path),
        category=row.get("category") or "",
        license=row.get("licence") or "",
        credit=row.get("source") or "",
        texture_kind=row.get("texture_kind") or "",
        front=row.get("front") or "",
        root=str(index.parent),
    )
