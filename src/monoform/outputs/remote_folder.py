"""Folders and files behind addresses that fsspec knows: made here, then uploaded, so that what is there is whole.

A bucket cannot rename: the record that makes a folder one of ours is uploaded last, and without it there is no result.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..inputs import read_json
from ..inputs.remote import AnyPath, RemotePath
from .atomic import atomic_file, explained_errors
from .kinds import NEVER_MIND, Kind
from .places import ADVICE

UNFINISHED = "unfinished.json"  # names what is being uploaded: who was killed over it leaves it behind


@contextmanager
def remote_folder(place: RemotePath, kind: Kind) -> Iterator[Path]:
    """Yield a path of this machine of the same name, to be made a folder; on success it is uploaded to `place`.

    An older folder of this kind is replaced, and what an upload has left that was broken off.

    Raises:
        InputError: something of the user's is there, or it cannot be written.
    """
    require_replaceable_there(place, kind)
    with explained_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="monoform-") as folder:
        made = Path(folder) / place.name
        yield made
        names = [name for name in sorted(path.name for path in made.iterdir()) if name != kind.record]
        note = Path(folder) / UNFINISHED
        before = require_replaceable_there(place, kind)
        note.write_text(json.dumps({"writer": "monoform", "files": sorted({*names, *before, kind.record})}))
        (place / UNFINISHED).upload(note)
        for name in (kind.record, *(before - {kind.record, UNFINISHED} - set(names))):
            (place / name).remove()
        for name in (*names, kind.record):
            (place / name).upload(made / name)
        (place / UNFINISHED).remove()


def require_replaceable_there(place: RemotePath, kind: Kind) -> set[str]:
    """The names at `place`, all ours: of a folder of this kind, or of one whose upload was broken off.

    Raises:
        InputError: something else is there, or it cannot be reached.
    """
    try:
        names = set(place.names()) - NEVER_MIND
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise InputError(f"{place} cannot be listed: {error}. Choose another -o.") from error
    if not names:
        return set()
    owned: set[str] = set()
    try:
        if UNFINISHED in names:
            owned = {*read_json(place / UNFINISHED)["files"], UNFINISHED}
        elif kind.record in names:
            owned = {*(kind.owned(read_json(place / kind.record)) or ()), kind.record}
    except (InputError, KeyError, TypeError, AttributeError):
        owned = set()
    if not owned:
        raise InputError(f"{place} is there and no {kind.name}: {ADVICE}.")
    if strange := sorted(names - owned):
        raise InputError(
            f"{place} holds {strange[0]}, which monoform did not write: move it away, or choose another -o."
        )
    return names


@contextmanager
def written_file(path: AnyPath) -> Iterator[Path]:
    """Yield a temporary path; what is written there becomes `path`, here or behind an address, whole or not at all.

    Raises:
        WriteError: the folder cannot be written, or the disk is full.
        InputError: the address cannot be written.
    """
    if isinstance(path, Path):
        with atomic_file(path) as file:
            yield file
        return
    with tempfile.TemporaryDirectory(prefix="monoform-") as folder:
        file = Path(folder) / path.name
        yield file
        path.upload(file)
