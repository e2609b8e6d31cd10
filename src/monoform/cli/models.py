"""monoform models [METHOD] [--config NAME]"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..errors import InputError
from .options import parse

if TYPE_CHECKING:
    from ..methods.base import Method


@dataclass(frozen=True)
class Models:
    """List the methods and the weights that ship, or the options of one method."""

    method: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[METHOD]")] = None
    """Name of a method."""
    config: str = ""
    """Print this published configuration, or preset, of the method, by its name."""


def read(words: list[str]) -> Models:
    """The options."""
    asked = parse(Models, "models", words)
    if asked.config and asked.method is None:
        raise InputError("--config names a configuration of a method: give METHOD, too.")
    return asked


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
    known, published_config = configurations(chosen)
    if asked.config:
        if published_config is None:
            raise InputError(f"{asked.method} has no configurations to print: leave out --config.")
        found = published_config(asked.config)
        table = Table("value of", asked.config, "meaning", box=None, title=f"{chosen.card.name}, {asked.config}")
        for row in option_rows(type(found), found):
            table.add_row(*map(escape, row))
        Console().print(table)
        return 0
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
    if published_config is not None:
        what = "presets, of which --set preset=NAME takes one and" if hasattr(chosen.config_class, "preset") else ""
        print(f"{what or 'configurations, which'} --config prints: {', '.join(known)}")
    print(f"verbs: {', '.join(dict.fromkeys((*chosen.capabilities(), *measured)))}")
    return 0


def configurations(method: type[Method]) -> tuple[Sequence[str], Callable[[str], Any] | None]:
    """Names of the presets or published configurations of a method, and what gives one by its name, if anything."""
    options: Any = method.config_class
    if hasattr(options, "preset"):
        return options.preset_names(), options.preset
    published = method.published()
    return (() if published is None else published.config_names()), getattr(published, "published_config", None)
