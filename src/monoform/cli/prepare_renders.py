"""monoform prepare renders"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import tyro

from ..data import mesh_sources, procedural_cars, procedural_sources
from ..data.packs.layouts import INDEX, LayoutOptions, render_layout
from ..errors import InputError
from ..progress import work
from ..text import printable


@dataclass(frozen=True, kw_only=True)
class Renders(LayoutOptions):
    """Render mesh files into a data set of posed pictures, in the layout of a published one.

    A rerun after an interrupt goes on where it was left. Meshes that cannot be read are reported and left out.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """The folder of the data set."""
    data: Path | None = None
    """Folder of mesh files; its index.csv is followed if there is one."""
    category: tuple[str, ...] = ()
    """Only the meshes of these categories."""
    together: str | None = None
    """One category of this name for all objects, to be learned from together."""
    procedural: int = 0
    """Further objects made by rules."""
    cars: int = 0
    """Further cars made by rules."""
    workers: int = 2
    """Processes at once."""


def run(asked: Renders) -> int:
    """Render, say what came out, and leave 2 when an object could not be used."""
    from .main import interruptible

    for name in ("procedural", "cars"):
        if getattr(asked, name) < 0:
            raise InputError(f"--{name} is {getattr(asked, name)}; it cannot be negative.")
    sources = [] if asked.data is None else mesh_sources(asked.data)
    known = sorted({source.category for source in sources})
    for category in asked.category:
        if category not in known:
            raise InputError(f"No mesh has the category {category!r}; there are {', '.join(known) or 'none'}.")
    sources = [source for source in sources if source.category in (asked.category or known)]
    sources += procedural_sources(asked.procedural) + procedural_cars(asked.cars)
    if asked.together is not None:
        sources = [replace(source, category=asked.together) for source in sources]
    if not sources:
        raise InputError("There is nothing to render: give --data DIR with meshes, --procedural N or --cars N.")
    options = LayoutOptions(**{item.name: getattr(asked, item.name) for item in fields(LayoutOptions)})
    interruptible()
    if (
        asked.split == "auto"
        and asked.layout != "blender"
        and not asked.keep_likes
        and not (asked.out / INDEX).is_file()
    ):
        print(
            "Shapes are compared first, so that nothing like a test object is trained on; --keep-likes leaves it out."
        )
    with work("rendering meshes", unit="object") as show:
        done = render_layout(sources, asked.out, options, workers=asked.workers, progress=show)
    for name, reason in {**done.left_out, **done.failed}.items():
        print(printable(f"{name} is left out: {reason}"))
    counts = ", ".join(f"{count} {split}" for split, count in done.counts.items())
    print(f"{sum(done.counts.values())} objects are in {asked.out}: {counts}.")
    return 2 if done.failed else 0
