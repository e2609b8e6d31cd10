"""Names of results, from what the user gave."""

from __future__ import annotations

import re
import unicodedata
import urllib.parse
from pathlib import Path

from ..text import cut
from .download import is_url
from .remote import RemotePath

LONGEST = 150  # bytes; file systems take 255, and temporary names put something around it
RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))})


def name_of(source: object) -> str:
    """The name that `open_picture` would give, without reading anything."""
    if is_url(source):
        path = re.sub(r"^https?://[^/]*|[?#].*", "", str(source), flags=re.IGNORECASE)
        return safe_name(Path(urllib.parse.unquote(path)).stem)
    return safe_name(Path(str(source)).stem) if isinstance(source, (str, Path, RemotePath)) else "photo"


def safe_name(name: str) -> str:
    """`name` without what could leave the output folder or break a file system, in at most 180 bytes of UTF-8.

    The names that Windows keeps for devices, such as con and nul, get an underscore; letters and their accents are one.

    >>> safe_name("../a:b")
    'a_b'
    """
    plain = re.sub(r"[^\w.\- ]+", "_", unicodedata.normalize("NFC", name)).strip("._ ")
    plain = cut(plain, LONGEST).strip("._ ") or "photo"
    first, dot, rest = plain.partition(".")
    return f"{first}_{dot}{rest}" if first.strip().upper() in RESERVED else plain
