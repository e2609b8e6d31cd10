"""Options of several values whose words may be quoted together: 0 24-40 -1, or '0 24-40 -1'."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from ..errors import InputError

MOST_VIEWS = 100_000  # of an object in any data set
NAMED = {"dtu": "3-7 16-21 36-39"}  # views of DTU whose exposure differs; published metrics leave them out


def view_numbers(words: Sequence[str]) -> tuple[int, ...]:
    """The numbers of words like "0 24-40 -1" or "0,24-40"; "dtu" stands for those with bad exposures.

    Raises:
        InputError: a word is neither a number nor a range, or goes beyond all views that an object can have. The
            sentence lacks its subject.
    """
    found: list[int] = []
    for word in re.split(r"[\s,]+", " ".join(NAMED.get(word, word) for word in words).strip()):
        span = re.fullmatch(r"(\d+)-(\d+)", word)
        if word and span is None and not re.fullmatch(r"-1|\d+", word):
            raise InputError(f"has {word!r}; give view numbers and ranges, as in '0 24-40'.")
        if max(len(last) for last in (span.groups() if span else (word,))) > 9:
            raise InputError(f"has {word!r}; no object has so many views.")
        if span and not 0 <= int(span[2]) - int(span[1]) < MOST_VIEWS:
            raise InputError(f"has {word!r}; a range goes upwards over at most {MOST_VIEWS} views.")
        found += range(int(span[1]), int(span[2]) + 1) if span else [int(word)] if word else []
        if len(found) > MOST_VIEWS:
            raise InputError(f"names more than {MOST_VIEWS} views; no object has so many.")
    return tuple(found)


def _split(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(words).split())


def _several(metavar: str, read: Callable[[list[str]], tuple]) -> PrimitiveConstructorSpec:
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [str(each) for each in value],
    )


ViewNumbers = Annotated[tuple[int, ...], _several("VIEWS", view_numbers)]
Words = Annotated[tuple[str, ...], _several("WORDS", _split)]
