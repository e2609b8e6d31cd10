"""monoform evaluate METHOD ... -o OUT"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError
from .evaluate_inerf import evaluate_inerf
from .evaluate_list import evaluate_list
from .evaluate_pixelnerf import evaluate_pixelnerf

METHODS: dict[str, Callable[[list[str]], int]] = {
    "inerf": evaluate_inerf,
    "list": evaluate_list,
    "pixelnerf": evaluate_pixelnerf,
}


def run(words: list[str]) -> int:
    """Evaluate a method by its paper's protocol."""
    if words and not words[0].startswith("-"):
        if words[0] not in METHODS:
            raise InputError(f"{words[0]!r} cannot be evaluated: choose one of {', '.join(METHODS)}.")
        return METHODS[words[0]](words[1:])
    print("usage: monoform evaluate METHOD ... -o OUT\n")
    print("  inerf       poses of a scene's photos from perturbed starts")
    print("  list        surfaces of test pictures, by category")
    print("  pixelnerf   new views from given source views")
    print("\n  monoform evaluate METHOD --help")
    return 0 if words and words[0] in ("-h", "--help") else 2
