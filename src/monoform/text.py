"""Text from outside as terminals, pages and file systems can take it."""

from __future__ import annotations

import re

# Controls, half letters (bytes of a file name that are no UTF-8), and what turns the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def printable(text: object) -> str:
    """One line that moves no cursor and that UTF-8 can hold: controls are spelled out, half letters replaced.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _UNPRINTABLE.sub(_spelled, str(text))


def cut(text: str, size: int) -> str:
    """The beginning of a text, of whole letters, that takes at most `size` bytes in UTF-8.

    >>> cut("語語", 5)
    '語'
    """
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore") if not text.isascii() else text[:size]


def shortened(text: str, word: int = 300, most: int = 4000) -> str:
    """A text whose words, and which itself, leave out their middles where they are too long.

    >>> shortened("a" * 50, word=11)
    'aaa...aaa'
    """
    parts = text.split(" ") if len(text) > word else []
    whole = " ".join(_without_middle(part, word) for part in parts) or text
    return _without_middle(whole, most)


def _without_middle(text: str, most: int) -> str:
    half = most // 2 - 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def _spelled(match: re.Match[str]) -> str:
    letter = match[0]
    return "\ufffd" if "\ud800" <= letter <= "\udfff" else letter.encode("unicode_escape").decode("ascii")
