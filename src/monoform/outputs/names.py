"""Names that become files and folders: distinct from each other, and unable to lead elsewhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from ..errors import InputError
from ..text import cut, printable

LONGEST = 180  # bytes; file systems take 255, and temporary names put something around it


def require_name(word: str, what: str = "An object has the name or category") -> str:
    """`word` where it can be the name of one file or folder, on any system.

    Raises:
        InputError: it is empty, a path, longer than 180 bytes, or holds controls or half letters.
    """
    shown = f"{what} {printable(cut(word, 60))!r}"
    if not word.strip():
        raise InputError(f"{shown}: give it a name, it names a folder.")
    if word in (".", "..") or re.search(r"[/\\]|^[A-Za-z]:", word):
        raise InputError(f"{shown}; take out the path, it names a folder.")
    if printable(word) != word:
        raise InputError(f"{shown}; take out what cannot be printed, it names a folder.")
    if len(word.encode()) > LONGEST:
        raise InputError(f"{shown}... of {len(word.encode())} bytes; {LONGEST} are the most, it names a folder.")
    return word


def distinct(names: Iterable[str], reserved: Collection[str] = (), *, joint: str = "-") -> list[str]:
    """The names in their order; one that a file system may take for an earlier or a reserved one gets a number.

    Case and the way in which accents are composed make no difference to some file systems.

    >>> distinct(["mug", "Mug", "index.html"], {"index.html"})
    ['mug', 'Mug-2', 'index.html-2']
    """
    taken = {_folded(name) for name in reserved}
    found = []
    for base in names:
        name, number = base, 2
        while _folded(name) in taken:
            name, number = f"{base}{joint}{number}", number + 1
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
