"""Names of results, from what the user gave."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path

from .download import is_url


def name_of(source: object) -> str:
    """The name that `open_picture` would give, without reading anything."""
    if is_url(source):
        path = re.sub(r"^https?://[^/]*|[?#].*", "", str(source), flags=re.IGNORECASE)
        return safe_name(Path(urllib.parse.unquote(path)).stem)
    return safe_name(Path(source).stem) if isinstance(source, (str, Path)) else "photo"


def safe_name(name: str) -> str:
    """`name` without what could leave the output folder or break a file system.

    >>> safe_name("../a:b")
    'a_b'
    """
    return re.sub(r"[^\w.\- ]+", "_", name).strip("._ ")[:100] or "photo"
