"""Files and folders behind addresses that fsspec knows, such as gs://bucket/cars: a path as `pathlib` has them.

The doors take one wherever they take a path; nothing is copied before it is read. What is written there is made here
first, and then uploaded.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from functools import total_ordering
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from ..computing import require_network
from ..errors import InputError

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_HERE = ("file", "local", "memory")
_FILE = "file://"


@total_ordering
class RemotePath:
    """A file or folder behind an address; what reading a data set needs of the interface of `pathlib.Path`."""

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        self._scheme, self._place = scheme, PurePosixPath(rest or ".")

    def __str__(self) -> str:
        return f"{self._scheme}://{self._place}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __lt__(self, other: RemotePath) -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, below: str | PurePath) -> RemotePath:
        return self._at(self._place / str(below))

    def with_name(self, name: str) -> RemotePath:
        """The same place with another last part."""
        return self._at(self._place.with_name(name))

    @property
    def name(self) -> str:
        """The last part."""
        return self._place.name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return self._place.stem

    @property
    def suffix(self) -> str:
        """From the last dot of the name."""
        return self._place.suffix

    @property
    def parent(self) -> RemotePath:
        """The folder it lies in."""
        return self._at(self._place.parent)

    def exists(self) -> bool:
        """Whether anything is there."""
        return self._info() is not None

    def is_dir(self) -> bool:
        """Whether a folder is there."""
        found = self._info()
        return found is not None and found["type"] == "directory"

    def is_file(self) -> bool:
        """Whether a file is there."""
        return self.size() is not None

    def size(self) -> int | None:
        """Bytes of the file; None where there is none.

        Raises:
            InputError: the address cannot be reached.
        """
        found = self._info()
        return None if found is None or found["type"] != "file" else int(found["size"] or 0)

    def names(self) -> list[str]:
        """What a folder holds.

        Raises:
            OSError: it cannot be listed.
        """
        listed = self._reached(lambda system: system.ls(str(self), detail=False))
        return [PurePosixPath(each).name for each in listed]

    def files_below(self) -> list[str]:
        """All files of the folder and those in it, as paths within it, sorted.

        Raises:
            OSError: it cannot be listed.
        """

        def find(system: Any) -> list[str]:
            root = PurePosixPath(system._strip_protocol(str(self)))
            return sorted(str(PurePosixPath(each).relative_to(root)) for each in system.find(str(self)))

        return self._reached(find)

    def upload(self, file: Path) -> None:
        """Put a file of this machine here, in place of what is here.

        Raises:
            InputError: it cannot be written.
        """

        def put(system: Any) -> None:
            if self._scheme in _HERE:  # buckets have no folders to be made
                system.makedirs(str(self.parent), exist_ok=True)
            system.put_file(str(file), str(self))

        self._reached(put)

    def remove(self) -> None:
        """Remove the file, where there is one.

        Raises:
            InputError: it cannot be removed.
        """
        with suppress(FileNotFoundError):
            self._reached(lambda system: system.rm_file(str(self)))

    def open(self) -> io.BufferedIOBase:
        """The file's bytes, fetched as they are read.

        Raises:
            InputError: the address cannot be reached.
        """
        found = self._reached(lambda system: system.open(str(self), "rb"))
        return found if isinstance(found, io.BufferedIOBase) else io.BufferedReader(found)

    def _at(self, place: PurePosixPath) -> RemotePath:
        return RemotePath(f"{self._scheme}://{place}")

    def _info(self) -> dict[str, Any] | None:
        try:
            return self._reached(lambda system: system.info(str(self)))
        except FileNotFoundError:
            return None

    def _reached(self, ask: Any) -> Any:
        """What a file system answers; whatever its client raises but for what is not there becomes one sentence."""
        if self._scheme not in _HERE:
            require_network(str(self), "copy it and give the path of the copy")
        try:
            import fsspec
        except ImportError as error:
            raise InputError(f"{self._scheme}:// needs fsspec: pip install 'monoform[cluster]'.") from error
        try:
            return ask(fsspec.core.url_to_fs(str(self))[0])
        except FileNotFoundError:
            raise
        except Exception as error:  # clients of storage raise whatever their libraries do
            reason = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
            raise InputError(f"{self} cannot be reached: {reason}. Check the address and your access to it.") from error


AnyPath = Path | RemotePath
"""Where something to read lies."""


def any_path(place: str | AnyPath) -> AnyPath:
    """A path, or an address that fsspec knows, as the user gives it.

    >>> any_path("gs://cars/a") / "b.png"
    gs://cars/a/b.png
    """
    if isinstance(place, RemotePath):
        return place
    return RemotePath(str(place)) if _ADDRESS.match(str(place)) else Path(place)


def place_of(word: str) -> AnyPath:
    """A place as the user gives it, to read or to write: file:// is a path of this machine.

    >>> place_of("file:///data/cars").is_absolute()
    True
    """
    if word.startswith(_FILE):
        path = word.removeprefix(_FILE)
        return Path(path[1:] if re.match(r"^/[A-Za-z]:", path) else path)
    return any_path(word)
