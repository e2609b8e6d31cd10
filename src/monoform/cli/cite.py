"""monoform cite [METHOD | RESULT]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from .options import parse


@dataclass(frozen=True)
class Cite:
    """Print the BibTeX of what a method, or a result, is built on."""

    what: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[METHOD | RESULT]")] = None
    """Name of a method or a result folder. Default: every method."""


def read(words: list[str]) -> Cite:
    """The options."""
    return parse(Cite, "cite", words)


def run(words: list[str]) -> int:
    """Print BibTeX."""
    asked = read(words)
    from ..jobs import cite

    print(cite(asked.what))
    return 0
