"""May I write here? One answer for every command: where nothing lies, or what is our own."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ..errors import InputError, WriteError
from ..text import printable
from .kinds import NEVER_MIND, Kind
from .temporaries import is_temporary

ADVICE = "choose another -o, or move it"
MARK, MARKED = b"written by monoform", 1 << 20  # within the first bytes of a file, or the last ones


def require_replaceable(folder: Path, kind: Kind | None, *, inputs: Iterable[object] = ()) -> None:
    """Look whether a whole folder may be put at `folder`: nothing is there, or an empty folder, or one of this kind in
    which all is ours.

    Args:
        kind: of the folders that may be replaced; None: none may.
        inputs: what the command reads; paths among them must lie elsewhere.

    Raises:
        InputError: what is there is the user's, or holds an input.
    """
    names = names_in(folder)
    if not names:
        return
    owned = None if kind is None else kind.owned_in(folder)
    if owned is None:
        no = "result of monoform" if kind is None else kind.name
        raise InputError(f"{printable(folder)} is there and no {no}: {ADVICE}.")
    pictures = frozenset() if kind is None else kind.pictures
    strange = sorted(name for name in names if not _is_ours(folder / name, owned, pictures))
    if strange:
        raise InputError(
            f"{printable(folder)} holds {printable(strange[0])}, which monoform did not write: move it away, or "
            "choose another -o."
        )
    for source in inputs:
        if _lies_in(source, folder):
            raise InputError(f"{printable(folder)} holds {printable(source)}, which is read here: choose another -o.")


def require_free_file(
    path: Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[object] = (),
    is_ours: Callable[[Path], bool] = lambda _: False,
) -> None:
    """Look whether a single file may be written: nothing is there, or our own of before, or `overwrite` was said.

    Raises:
        InputError: something else is there; a folder, a link and an input are never replaced.
    """
    mode = _mode(path)
    if mode is None:
        return
    _refuse_link(path, mode)
    if not stat.S_ISREG(mode):
        raise InputError(f"Cannot write {printable(path)}: it is no file; {ADVICE}.")
    if any(_lies_in(source, path) for source in inputs):
        raise InputError(f"{printable(path)} is read here: choose another -o.")
    if not overwrite and not _true(is_ours, path):
        raise InputError(f"{printable(path)} is there already: add --overwrite to replace it, or choose another -o.")


def is_marked(path: Path) -> bool:
    """Whether a picture or a film says that monoform wrote it; see `save_picture` and `write_video`."""
    with path.open("rb") as file:
        if MARK in file.read(MARKED):
            return True
        file.seek(max(file.seek(0, os.SEEK_END) - MARKED, 0))
        return MARK in file.read(MARKED)


def require_ours(path: Path, is_ours: Callable[[Path], bool], *, advice: str = ADVICE) -> None:
    """Look whether a file with a fixed name may be written beside results: nothing is there, or our own of before.

    Raises:
        InputError: something else is there.
    """
    mode = _mode(path)
    if mode is None:
        return
    _refuse_link(path, mode)
    if not stat.S_ISREG(mode) or not _true(is_ours, path):
        raise InputError(f"{printable(path)} is there and not monoform's: {advice}.")


def names_in(folder: Path) -> list[str]:
    """Names in a folder, unfinished files apart; none where there is no folder.

    Raises:
        InputError: there is a file or a link in its place.
        WriteError: it cannot be looked at.
    """
    mode = _mode(folder)
    if mode is None:
        return []
    _refuse_link(folder, mode)
    if not stat.S_ISDIR(mode):
        raise InputError(f"Cannot write {printable(folder)}: it is a file; {ADVICE}.")
    try:
        return sorted(name for name in os.listdir(folder) if not is_temporary(name))
    except OSError as error:
        raise _unseen(folder, error) from error


def _is_ours(path: Path, owned: Collection[str], pictures: Collection[str]) -> bool:
    """Whether an entry of a folder that is to be replaced is a file that we write, or a folder of our pictures."""
    mode = _mode(path)
    if mode is not None and path.name in pictures and stat.S_ISDIR(mode):
        return all(_is_our_picture(each) for each in path.rglob("*"))
    return path.name in NEVER_MIND or (path.name in owned and (mode is None or stat.S_ISREG(mode)))


def _is_our_picture(path: Path) -> bool:
    mode = _mode(path)
    if mode is None or stat.S_ISDIR(mode) or path.name in NEVER_MIND:
        return True
    return stat.S_ISREG(mode) and _true(is_marked, path)


def _true(is_ours: Callable[[Path], bool], path: Path) -> bool:
    try:
        return is_ours(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _refuse_link(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise InputError(f"Cannot write {printable(path)}: it is a link; give what it leads to, or choose another -o.")


def _mode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unseen(path, error) from error


def _unseen(path: Path, error: OSError | ValueError) -> WriteError:
    reason = getattr(error, "strerror", None) or error
    return WriteError(f"Cannot write {printable(path)}: {reason}. Choose another -o.")


def _lies_in(source: object, place: Path) -> bool:
    if not isinstance(source, (str, Path)) or not str(source):
        return False
    try:
        return Path(source).exists() and Path(source).resolve().is_relative_to(place.resolve())
    except (OSError, ValueError, RuntimeError):
        return False
