"""monoform evaluate METHOD ... -o OUT"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .evaluate_inerf import EvaluateInerf, evaluate_inerf
from .evaluate_list import EvaluateList, evaluate_list
from .evaluate_pixelnerf import EvaluatePixelNerf, evaluate_pixelnerf
from .options import choose, parse

METHODS: dict[str, tuple[type, Callable[[Any], int], str]] = {
    "inerf": (EvaluateInerf, evaluate_inerf, "poses of a scene's photos from perturbed starts"),
    "list": (EvaluateList, evaluate_list, "surfaces of test pictures, by category"),
    "pixelnerf": (EvaluatePixelNerf, evaluate_pixelnerf, "new views from given source views"),
}


def known() -> dict[str, tuple[type, Callable[[Any], int], str]]:
    """Options, command and summary of all that can be evaluated: ours, and what methods of other packages declare."""
    from ..methods import every_method

    declared = {name: found for name, method in every_method().items() if (found := method.evaluation()) is not None}
    return METHODS | {name: (each.options, _printing(each.run), each.summary) for name, each in declared.items()}


def _printing(run: Callable[[Any], str]) -> Callable[[Any], int]:
    def command(asked: Any) -> int:
        print(run(asked), end="")
        return 0

    return command


def _named(word: str) -> tuple[type, Callable[[Any], int], str]:
    """Ours are found without loading any method."""
    if word in METHODS:
        return METHODS[word]
    found = known()
    if word not in found:
        raise choose(word, found, f"{word!r} cannot be evaluated")
    return found[word]


def read(words: list[str]) -> Any:
    """The options of the method that the first word names."""
    if not words or words[0].startswith("-"):
        raise InputError(f"evaluate needs the name of a method first: {', '.join(METHODS)}.")
    return parse(_named(words[0])[0], f"evaluate {words[0]}", words[1:])


def run(words: list[str]) -> int:
    """Evaluate a method by its paper's protocol."""
    if words[:1] in (["-h"], ["--help"]):
        print("usage: monoform evaluate METHOD ... -o OUT\n")
        print("\n".join(f"  {name:12}{line}" for name, (_, _, line) in known().items()))
        print("\n  monoform evaluate METHOD --help")
        return 0
    asked = read(words)
    return _named(words[0])[1](asked)
