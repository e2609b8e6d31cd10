"""monoform models [METHOD]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from .options import parse


@dataclass(frozen=True)
class Models:
    """List the methods and the weights that ship, or the options of one method."""

    method: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[METHOD]")] = None
    """Name of a method."""


def read(words: list[str]) -> Models:
    """The options."""
    return parse(Models, "models", words)


def run(words: list[str]) -> int:
    """Print a table of methods, or of one method's options."""
    asked = read(words)
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..jobs import list_methods
    from ..jobs.evaluate import evaluation_of
    from ..methods import method_class
    from ..weights import shipped
    from .settings import option_rows

    if asked.method is None:
        table = Table("method", "what it does", "needs", "weights", "MB", "licence", box=None)
        for card in list_methods():
            table.add_row(card.name, card.summary, card.needs, card.weights or "-", f"{card.size:g}", card.license)
        weights = Table("weights that ship", "what of what", "learned from", "MB", "licence", "SHA-256", box=None)
        for each in shipped().values():
            size = f"{each.megabytes:g}"
            weights.add_row(each.name, each.summary, each.data, size, each.license, each.sha256[:12])
        Console().print(table, "", weights)
        return 0
    chosen = method_class(asked.method)
    kinds = {"option": chosen.config_class}
    for training in chosen.trainings():
        if training.options is not chosen.config_class:
            kinds[f"option of train {training.name}"] = training.options
    for title, kind in kinds.items():
        table = Table(title, "default", "meaning", box=None, title=f"{chosen.card.name}: {chosen.card.summary}")
        for row in option_rows(kind):
            table.add_row(*map(escape, row))
        Console().print(table)
    measured = () if evaluation_of(asked.method) is None else ("evaluate",)
    print(f"verbs: {', '.join(dict.fromkeys((*chosen.capabilities(), *measured)))}")
    return 0
