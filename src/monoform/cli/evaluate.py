"""monoform evaluate METHOD ... -o OUT"""

from __future__ import annotations

from typing import Any

from ..computing import Computing
from ..errors import InputError
from .main import begin, interruptible
from .options import choose, parse

HELP = "`monoform evaluate --help` lists them."


def read(words: list[str]) -> Any:
    """The options of the method that the first word names."""
    if not words or words[0].startswith("-"):
        raise InputError(f"evaluate needs the name of a method first: {HELP}")
    return parse(_named(words[0]).options, f"evaluate {words[0]}", words[1:])


def run(words: list[str]) -> int:
    """Evaluate a method by its paper's protocol."""
    if words[:1] in (["-h"], ["--help"]):
        from ..jobs.evaluate import evaluations

        print("usage: monoform evaluate METHOD ... -o OUT\n")
        print("\n".join(f"  {name:12}{each.summary}" for name, each in evaluations().items()))
        print("\n  monoform evaluate METHOD --help")
        return 0
    asked = read(words)
    begin(asked) if isinstance(asked, Computing) else interruptible()
    print(_named(words[0]).run(asked), end="")
    return 0


def _named(word: str) -> Any:
    from ..jobs.evaluate import evaluation_of, evaluations

    found = evaluation_of(word)
    if found is None:
        raise choose(word, evaluations(), f"{word!r} cannot be evaluated")
    return found
