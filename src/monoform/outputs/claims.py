"""Folders in which a command works and goes on: claimed by one process at a time, given back where nothing was done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..errors import InputError
from ..inputs import read_json
from ..text import printable
from .atomic import atomic_file, explained_errors, made_parents
from .kinds import LOCK, NEVER_MIND, Kind
from .places import ADVICE, names_in
from .temporaries import is_temporary, sweep

_held: set[Path] = set()


class Claim:
    """A claimed folder.

    Attributes:
        folder: it.
        stored: the record that was found, where it is still to be followed.
    """

    def __init__(self, folder: Path, kind: Kind, stored: Mapping[str, Any] | None) -> None:
        self.folder, self.kind, self.stored = folder, kind, stored

    def record(self, content: Mapping[str, Any]) -> None:
        """Write the record."""
        with atomic_file(self.folder / self.kind.record) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@contextmanager
def claimed(
    folder: str | Path,
    kind: Kind,
    *,
    same: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    other: str | Callable[[Mapping[str, Any]], str] = "",
    tolerated: Collection[str] = (),
) -> Iterator[Claim]:
    """Claim a folder that is absent, empty, or of this kind; it is made, and locked against other processes.

    Where the block fails and nothing was finished in it, the folder is left as if nothing had been tried: a line that
    was refused does not stand in the way of the corrected one. A process that claims a folder again goes on in it.

    Args:
        same: whether the record that is there is of what is asked for now; a record of something else is only passed
            over where nothing was finished.
        other: sentence for a folder of something else, or what makes it of the record that is there.
        tolerated: names that may lie there, besides those of the kind.

    Raises:
        InputError: the folder is the user's, of another kind or request, damaged, or another process works in it.
        WriteError: it cannot be written.
    """
    folder = Path(folder)
    key = Path(os.path.abspath(folder))
    with ExitStack() as stack:
        with explained_errors(folder):
            before = set(names_in(folder))
            _require_claimable(folder, kind, before - set(tolerated))
            stack.enter_context(made_parents(folder / LOCK))
            is_ours = key not in _held
            if is_ours:
                stack.enter_context(_locked(folder))
                sweep(folder, again=True)
            claim = Claim(folder, kind, _stored(folder, kind, same, other))
        if not is_ours:
            yield claim
            return
        _held.add(key)
        try:
            yield claim
        except (InputError, KeyboardInterrupt):
            if is_bare(folder, kind):
                _clear(folder, kind, before)
            raise
        finally:
            _held.discard(key)


def is_bare(folder: Path, kind: Kind) -> bool:
    """Whether nothing was finished in a folder of this kind: it holds its record at most, and empty folders."""
    if kind.finished is not None:
        return not kind.finished(folder)
    nothing = {kind.record, LOCK, *kind.spare, *NEVER_MIND}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_temporary(name) and name not in kind.spare]
        top = Path(parent) == folder
        if any(not is_temporary(name) and not (top and name in nothing) for name in files):
            return False
    return True


def _require_claimable(folder: Path, kind: Kind, found: set[str]) -> None:
    names = found - kind.tolerated - NEVER_MIND - {LOCK}
    if not names or kind.owned_in(folder) is not None:
        return
    if kind.record in names:
        _read(folder, kind)
    raise InputError(f"{printable(folder)} is there and no {kind.name}: {ADVICE}.")


def _stored(
    folder: Path,
    kind: Kind,
    same: Callable[[Mapping[str, Any]], bool],
    other: str | Callable[[Mapping[str, Any]], str],
) -> Mapping[str, Any] | None:
    if not (folder / kind.record).is_file():
        return None
    stored = _read(folder, kind)
    try:
        if same(stored):
            return stored
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    if not is_bare(folder, kind):
        sentence = other if isinstance(other, str) else other(stored)
        raise InputError(sentence or f"{printable(folder)} holds something else: choose another -o.")
    return None


def _read(folder: Path, kind: Kind) -> Mapping[str, Any]:
    try:
        return read_json(folder / kind.record)
    except InputError as error:
        raise InputError(
            f"{printable(folder / kind.record)} is damaged: remove {printable(folder)}, or choose another -o."
        ) from error


def _clear(folder: Path, kind: Kind, before: set[str]) -> None:
    """Remove the record, and the empty folders that were made, of a folder in which nothing was finished."""
    for name in (kind.record, *kind.spare):
        with suppress(OSError):
            (folder / name).unlink()
        if (folder / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
    for name in set(names_in(folder)) - before:
        for parent, _, _ in os.walk(folder / name, topdown=False):
            with suppress(OSError):
                os.rmdir(parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock file; it dies with its process."""
    path = folder / LOCK
    file = _taken(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        file.close()


def _taken(path: Path) -> IO[str]:
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _lock(file):
            file.seek(0)
            holder = file.read(20).strip() or "another one"
            file.close()
            raise InputError(
                f"{printable(path.parent)} is being written by process {printable(holder)}: wait for it, or choose "
                "another -o."
            )
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                return file
        file.close()  # its holder has removed it meanwhile


def _lock(file: IO[str]) -> bool:
    """Lock an open file; True too where the file system knows no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
