"""monoform prepare KIND"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import InputError
from .options import choose, parse


@dataclass(frozen=True)
class Meshes:
    """Turn mesh files into training data: views, depth, normals, signed distances, packed into one folder.

    A rerun after an interrupt goes on where it was left. Meshes that cannot be read are reported and left out.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """The folder of the packed data."""
    data: Path | None = None
    """Folder of mesh files; its index.csv is followed if there is one."""
    views: int = 10
    """Pictures of each object."""
    size: int = 128
    """Their width and height in pixels."""
    points: int = 20_480
    """Points with a signed distance, for each object."""
    surface: int = 8_192
    """Points on the surface of each object."""
    voxels: int = 160
    """Cells along a unit of length (the diameter of an object) that tell inside from outside."""
    copies: int = 0
    """Widened copies of each mesh: stretched, bent, painted anew, put together."""
    procedural: int = 0
    """Further objects made by rules."""
    training_only: bool = False
    """Leave out the meshes of the validation list and those that are too like them."""
    small: Path | None = None
    """Also write a small copy, for carrying, to this folder."""
    small_maps: bool = False
    """The small copy holds depths, normals and backs of two views in place of points: what lift learns from."""
    seed: int = 0
    """Seed of all randomness."""
    workers: int = 2
    """Processes at once."""
    overwrite: bool = False
    """Make the folder anew although it is there."""


KINDS = {
    "meshes": "mesh files into training data",
    "renders": "mesh files into posed pictures, SRN, NMR, Pascal3D+, ShapeNet or NeRF layout",
    "sdf": "mesh files into points with signed distances, LIST's layout",
    "pix3d": "Pix3D's photos and records as published into LIST's layout",
    "images": "photos of one kind of object into a set of one square size, for generators",
    "photos": "photos of objects, framed as training pictures are",
    "poses": "how far off poses found in a trained scene are, told by its own photos",
    "check": "what is in a data set, or what is wrong with it",
}


def _kind(name: str) -> tuple[type, Callable[[Any], int]]:
    """The options of a kind, and what runs it; imported when it is asked for."""
    if name == "meshes":
        return Meshes, prepare_meshes
    module = import_module(f".prepare_{name}", __package__)
    return getattr(module, name.capitalize()), module.run


def read(words: list[str]) -> Any:
    """The options of the kind that the first word names."""
    if not words or words[0].startswith("-"):
        raise InputError(f"prepare needs a kind first: {', '.join(KINDS)}.")
    if words[0] not in KINDS:
        raise choose(words[0], KINDS, f"There is nothing to prepare called {words[0]!r}")
    return parse(_kind(words[0])[0], f"prepare {words[0]}", words[1:])


def run(words: list[str]) -> int:
    """Prepare, say what came out, and leave 2 when an object could not be used."""
    if words[:1] in (["-h"], ["--help"]):
        lines = [f"  {name:9}{line}" for name, line in KINDS.items()]
        print("\n".join(["usage: monoform prepare KIND ... | monoform prepare KIND --help", "", *lines, ""]))
        print("  monoform prepare meshes --data DIR -o OUT")
        return 0
    asked = read(words)
    return _kind(words[0])[1](asked)


def prepare_meshes(asked: Meshes) -> int:
    """Pack what was asked for."""
    # Heavy imports wait until the words are understood.
    from ..data import pack_meshes
    from ..data.packs.small import SMALL_PACK, SmallOptions, shrink
    from ..outputs import require_replaceable
    from ..text import printable
    from .main import interruptible

    interruptible()
    if asked.small is not None:
        require_replaceable(asked.small, SMALL_PACK)
    sources = _sources(asked)
    options = _options(asked)
    failed = _packed(asked, sources, options, pack_meshes)
    for name, reason in failed:
        print(printable(f"{name} is left out: {reason}"))
    print(f"{len(sources) - len(failed)} objects are in {asked.out}.")
    if asked.small is not None:
        maps = SmallOptions(views=2, points=0, surface=0, maps=True)
        shrink(asked.out, asked.small, maps if asked.small_maps else None)
        size = sum(path.stat().st_size for path in asked.small.iterdir())
        print(f"A copy of {size / 2**20:.1f} MiB is in {asked.small}.")
    return 2 if failed else 0


def _sources(asked: Meshes) -> list:
    from ..data import augmented_sources, mesh_sources, procedural_sources, training_names

    if asked.copies < 0 or asked.procedural < 0:
        raise InputError(f"--copies is {asked.copies} and --procedural {asked.procedural}; neither can be negative.")
    sources = [] if asked.data is None else mesh_sources(asked.data)
    if asked.training_only:
        allowed = set(training_names([source.name for source in sources]))
        sources = [source for source in sources if source.name in allowed]
    made = procedural_sources(asked.procedural)
    if not sources and not made:
        raise InputError("There is nothing to pack: give --data DIR with meshes, or --procedural N.")
    return sources + made + augmented_sources(sources + made, asked.copies, seed=asked.seed)


def _options(asked: Meshes):
    from ..data import LabelOptions, PackOptions, ViewOptions

    for name in ("views", "size", "points", "surface", "voxels"):
        if getattr(asked, name) < 1:
            raise InputError(f"--{name} is {getattr(asked, name)}; it must be at least 1.")
    views = ViewOptions(count=asked.views, size=asked.size)
    labels = LabelOptions(points=asked.points, surface=asked.surface, voxels=asked.voxels)
    return PackOptions(views=views, labels=labels, seed=asked.seed)


def _packed(asked: Meshes, sources: list, options, pack_meshes) -> list[tuple[str, str]]:
    from ..progress import work

    with work("making training data", unit="object") as show:
        return pack_meshes(sources, asked.out, options, workers=asked.workers, overwrite=asked.overwrite, progress=show)
