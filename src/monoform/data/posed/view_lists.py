"""Lists of source views: one object a line, "category object view..."."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ...inputs import read_text

MAX_LIST_BYTES = 16 << 20


def read_view_list(file: str | Path) -> dict[str, tuple[int, ...]]:
    """The views of every "category/object", in the order of the file; blank lines are nothing.

    Raises:
        InputError: the file cannot be read, a line is not of this form, or an object has two different entries.
    """
    lines = read_text(file, limit=MAX_LIST_BYTES, advice="check the path of the view list").splitlines()
    views: dict[str, tuple[int, ...]] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < 3 or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words[2:]):
            raise InputError(f"{file}, line {number}: {line[:60]!r} must be a category, an object and view numbers.")
        key, chosen = f"{words[0]}/{words[1]}", tuple(map(int, words[2:]))
        if views.setdefault(key, chosen) != chosen:
            raise InputError(f"{file}, line {number}: {key} has other views in an earlier line; keep one of them.")
    if not views:
        raise InputError(f"The view list {file} is empty; it must name a category, an object and views a line.")
    return views
