"""monoform generate METHOD --seeds 0-7 -o OUT"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..computing import Computing
from .options import parse


@dataclass(frozen=True)
class Generate(Computing):
    """Make objects without a photo, by a method that can: each seed a result folder, as reconstruct writes them."""

    method: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="METHOD")]
    """Name of the method; `monoform models` lists them with their verbs."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the result folders go, seed_0000 and so on."""
    seeds: tuple[str, ...] = ("0",)
    """Numbers and ranges of seeds, for instance 0-7 12."""
    faces: int = 20_000
    """Triangles of each mesh, met within one percent."""
    texture: int = 1024
    """Side of the texture in pixels."""
    resolution: int = 320
    """Cells along the longest side at which the surface is extracted."""
    frames: int = 60
    """Frames of the turntable film; 0 leaves it out."""
    film: Literal["mesh", "field"] = "mesh"
    """What the turntable shows: mesh; or field, as the method itself draws it."""
    overwrite: bool = False
    """Make finished samples anew."""
    set: tuple[str, ...] = field(default=())
    """Options of the method as NAME=VALUE; `monoform models METHOD` lists them."""


def read(words: list[str]) -> Generate:
    """The options."""
    return parse(Generate, "generate", words)


def run(words: list[str]) -> int:
    """Make the samples, and say where they are."""
    asked = read(words)
    from ..app.report import write_report
    from ..jobs.generate import generate, seeds_in
    from ..jobs.reconstruct import ReconstructOptions
    from ..progress import work
    from .main import begin
    from .settings import parse_overrides

    device = begin(asked)
    seeds = seeds_in(asked.seeds)
    options = ReconstructOptions(
        method=asked.method,
        faces=asked.faces,
        texture=asked.texture,
        resolution=asked.resolution,
        frames=asked.frames,
        film=asked.film,
        overrides=parse_overrides(asked.method, asked.set),
        device=device,
    )
    with work("making samples", len(seeds), unit="sample") as show:
        made = generate(asked.out, seeds, options, overwrite=asked.overwrite, finish=write_report)
        for number, (saved, kept) in enumerate(made, start=1):
            show(number)
            print(f"{saved.folder}{' (already there; --overwrite makes it anew)' if kept else ''}")
    return 0
