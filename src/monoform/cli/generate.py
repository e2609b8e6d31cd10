"""monoform generate METHOD --seeds 0-7 -o OUT"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from .options import parse
from .result_options import ResultOptions


@dataclass(frozen=True)
class Generate(ResultOptions):
    """Make objects without a photo, by a method that can: each seed a result folder, as reconstruct writes them."""

    method: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="METHOD")]
    """Name of the method; `monoform models` lists them with their verbs."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the result folders go, seed_0000 and so on."""
    seeds: tuple[str, ...] = ("0",)
    """Numbers and ranges of seeds, for instance 0-7 12."""


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
        **asked.of_results(),
        overrides=parse_overrides(asked.method, asked.set),
        device=device,
    )
    with work("making samples", len(seeds), unit="sample") as show:
        made = generate(asked.out, seeds, options, overwrite=asked.overwrite, finish=write_report)
        for number, (saved, kept) in enumerate(made, start=1):
            show(number)
            print(f"{saved.folder}{' (already there; --overwrite makes it anew)' if kept else ''}")
    return 0
