"""monoform cite [METHOD | RESULT]"""

from __future__ import annotations

from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Cite:
    """Print the BibTeX of what a method, or a result, is built on."""

    what: tyro.conf.Positional[str | None] = None
    """Name of a method or a result folder. Default: every method."""


def run(words: list[str]) -> int:
    """Print BibTeX."""
    asked = tyro.cli(Cite, prog="monoform cite", args=words, description=Cite.__doc__)
    from ..jobs import cite

    print(cite(asked.what))
    return 0
