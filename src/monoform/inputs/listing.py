"""What lies in a folder, without what systems leave there: `._photo.png` of macOS, Thumbs.db of Windows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from ..errors import InputError
from .remote import AnyPath, RemotePath, any_path

Suffixes = tuple[str, ...] | None
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
LEFT_BY_SYSTEMS = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r")


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's: hidden, or left by a system."""
    return name.startswith(".") or name.lower() in LEFT_BY_SYSTEMS


@overload
def listed(folder: str | Path, suffixes: Suffixes = ..., *, what: str = ..., advice: str = ...) -> list[Path]: ...
@overload
def listed(folder: AnyPath, suffixes: Suffixes = ..., *, what: str = ..., advice: str = ...) -> list[AnyPath]: ...
def listed(
    folder: str | AnyPath, suffixes: Suffixes = None, *, what: str = "folder", advice: str = "check the path"
) -> Sequence[AnyPath]:
    """The entries of a folder, sorted by name.

    Args:
        suffixes: of the files that are meant, in small letters; None for all entries.
        what: it is, and advice: the end of the sentence, where it cannot be read.

    Raises:
        InputError: the folder is missing or cannot be read.
    """
    try:
        names = sorted(folder.names() if isinstance(folder, RemotePath) else os.listdir(folder))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"The {what} {folder} is missing or cannot be read ({reason}): {advice}.") from error
    entries = [any_path(folder) / name for name in names if not is_clutter(name)]
    return entries if suffixes is None else [entry for entry in entries if entry.suffix.lower() in suffixes]


def listed_below(folder: str | Path, name: str | None = None) -> Iterator[Path]:
    """All files below a folder (of one name), sorted; links to folders are not followed, so that none goes round."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not is_clutter(one))
        yield from (Path(place) / one for one in sorted(files) if not is_clutter(one) and name in (None, one))
