"""The bytes of a mesh file and of the files that it names: regular files, within one folder, of bounded size."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import InputError
from ...inputs.files import read_bytes

MAX_BYTES = 1 << 30
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")  # one letter is a drive
_DRIVE = re.compile(r"^[A-Za-z]:")


class Neighbors:
    """A mesh file's folder, as the names in that file may use it.

    Names may lead anywhere within `root` (the mesh's own folder if None). A name that leads elsewhere, as those of a
    modeller's disk do, stands for the file of that name beside the mesh. Backslashes separate folders too, and upper
    and lower case are told apart only where both exist. What is not there may lie in ../materials/textures, within
    `root`: so do the textures of Google's scanned objects (meshes/model.obj), whatever their files say.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._folder = Path(os.path.abspath(path.parent))
        self._roots = [self._folder] if root is None else [self._folder, Path(os.path.abspath(root))]
        self._left = MAX_BYTES
        textures = self._folder.parent / "materials" / "textures"
        self._textures = textures if any(map(textures.is_relative_to, self._roots)) else None

    def read_mesh(self) -> bytes:
        """The bytes of the mesh file itself.

        Raises:
            InputError: it is missing, no regular file, or too large.
        """
        if not os.path.lexists(self.path):
            raise InputError(f"Mesh file {self.path} does not exist; check the path.")
        return self._read(self.path)

    def read(self, name: str, what: str) -> bytes:
        """The bytes of the file `name`, which is a `what` ("texture") of the mesh.

        Raises:
            InputError: it is not there, leads outside, or is too large.
        """
        return self._read(self.find(name, what))

    def find(self, name: str, what: str) -> Path:
        """The place of the file `name`.

        Raises:
            InputError: it is not there, or leads outside.
        """
        shown = name if len(name) <= 100 else name[:97] + "..."
        plain = name.replace("\\", "/").strip()
        if "\0" in plain or not plain or len(plain) > 4096:
            raise InputError(f"the name of a {what}, {shown!r}, is no file name; export the mesh again.")
        if _SCHEME.match(plain):
            raise InputError(f"the {what} {shown!r} is an address; put the file into the mesh's folder and name it.")
        inside = None if _DRIVE.match(plain) else self._inside(plain)
        found = _matching(*inside) if inside else _matching(self._folder, Path(Path(plain).name or "."))
        if found is None and self._textures is not None:
            found = _matching(self._textures, Path(Path(plain).name or "."))
        if found is not None and found.is_file():
            return found
        if inside is None:
            raise InputError(f"the {what} {shown!r} lies outside the folder of the mesh; put the file beside the mesh.")
        raise InputError(f"the {what} {shown!r} is not there; put it where the mesh names it, beside the mesh.")

    def _inside(self, name: str) -> tuple[Path, Path] | None:
        wanted = Path(os.path.normpath(self._folder / name))
        for root in self._roots:
            if wanted.is_relative_to(root) and wanted != root:
                return root, wanted.relative_to(root)
        return None

    def _read(self, path: Path) -> bytes:
        data = read_bytes(path, limit=self._left)
        self._left -= len(data)
        return data


def _matching(folder: Path, name: Path) -> Path | None:
    """`name` below `folder`, each part in the case that is found there."""
    place = folder
    try:
        for part in name.parts:
            if not (place / part).exists():
                alike = sorted(each for each in os.listdir(place) if each.casefold() == part.casefold())
                if not alike:
                    return None
                part = alike[0]
            place = place / part
    except (OSError, ValueError):
        return None
    return place
