"""monoform evaluate pixelnerf"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError


@dataclass(frozen=True)
class EvaluatePixelNerf:
    """Render new views of every object of a data set from given source views, and compare them with the true ones.

    Writes OUT/[CATEGORY_]OBJECT/NNNNNN.png, metrics.json and metrics.md. Interrupted, the same line goes on.
    """

    data: Path
    """A data set in one of the published layouts; see `monoform prepare check`."""
    weights: str
    """Folder that `monoform convert` or `monoform train pixelnerf` wrote, or OWNER/NAME on the hub."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where pictures and scores go."""
    split: str = "test"
    """train, val or test."""
    format: str = "auto"
    """srn, dvr, dtu or two_object; auto tells them by their files."""
    unseen: bool = False
    """For dvr: the lists of the unseen categories."""
    sources: str = "64"
    """Source views, for instance "64 104"; -1 is one at random."""
    source_list: Path | None = None
    """Source views by object: lines of a category, an object and its views."""
    targets: str = ""
    """Views to render, for instance "0 24-40". Default: all others."""
    exclude: str = ""
    """Views that are no targets; dtu: those with bad exposures, 3-7 16-21 36-39."""
    include_sources: bool = False
    """Render the source views too."""
    quick: bool = False
    """One random target of each object."""
    coarse: bool = False
    """The coarse network alone, with 64 and 128 samples."""
    scale: float = 1.0
    """Size of the pictures, of the data's."""
    depth: bool = False
    """Write the depths too, NNNNNN_depth.npy."""
    compare: bool = False
    """Write source, truth and rendering side by side, NNNNNN_compare.png."""
    lpips: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="VGG16 LIN")] = None
    """Measure LPIPS too: torchvision's VGG-16 weights, and the linear layers of LPIPS v0.1."""
    precision: str = "float32"
    """float32 or bfloat16, of the networks."""
    seed: int = 0
    """Seed of all randomness."""


def evaluate_pixelnerf(asked: EvaluatePixelNerf) -> int:
    """Evaluate, and print the table."""
    from ..data.posed.dtu import BAD_EXPOSURES
    from ..data.posed.open import open_posed
    from ..data.posed.view_lists import read_view_list
    from ..methods.pixelnerf.config import PixelNerfConfig
    from ..methods.pixelnerf.evaluate import EvaluationOptions, evaluate
    from ..methods.pixelnerf.fast import FastOptions
    from ..methods.pixelnerf.model import PixelNerfNet
    from ..metrics.table import markdown_of
    from ..progress import work
    from ..text import printable
    from ..training import load_pretrained
    from .main import interruptible

    if asked.precision not in ("float32", "bfloat16"):
        raise InputError(f"--precision is {asked.precision!r}; choose float32 or bfloat16.")
    options = EvaluationOptions(
        sources=numbers(asked.sources, "--sources"),
        listed=None if asked.source_list is None else read_view_list(asked.source_list),
        targets=numbers(asked.targets, "--targets"),
        excluded=BAD_EXPOSURES if asked.exclude == "dtu" else numbers(asked.exclude, "--exclude"),
        include_sources=asked.include_sources,
        quick=asked.quick,
        coarse=asked.coarse,
        scale=asked.scale,
        depth=asked.depth,
        compare=asked.compare,
        seed=asked.seed,
        render=FastOptions(precision=asked.precision),  # type: ignore[arg-type]
    )
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, asked.weights)
    kind, size = asked.format, config.domain.size
    objects = open_posed(asked.data, asked.split, format=kind, unseen=asked.unseen, size=size)  # type: ignore[arg-type]
    distance = None if asked.lpips is None else _perceptual(*asked.lpips)
    interruptible()
    with work("rendering new views", unit="object") as progress:
        summary = evaluate(net, objects, asked.out, options, perceptual=distance, progress=progress)
    for reason in summary["skipped"].values():
        print(printable(f"Left out: {reason}"))
    print(markdown_of(summary), end="")
    return 0


def _perceptual(vgg: Path, linear: Path):
    from ..metrics.lpips import Lpips

    return Lpips.load(vgg, linear)


MOST_VIEWS = 100_000  # of an object in any data set


def numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of a text like "0 24-40 -1" or "0,24-40".

    Raises:
        InputError: a word is neither a number nor a range, or goes beyond all views that an object can have.
    """
    found: list[int] = []
    for word in re.split(r"[\s,]+", text.strip()) if text.strip() else []:
        span = re.fullmatch(r"(\d+)-(\d+)", word)
        if span is None and not re.fullmatch(r"-1|\d+", word):
            raise InputError(f"{option} has {word!r}; give view numbers and ranges, as in '0 24-40'.")
        if max(len(last) for last in (span.groups() if span else (word,))) > 9:
            raise InputError(f"{option} has {word!r}; no object has so many views.")
        if span and not 0 <= int(span[2]) - int(span[1]) < MOST_VIEWS:
            raise InputError(f"{option} has {word!r}; a range goes upwards over at most {MOST_VIEWS} views.")
        found += range(int(span[1]), int(span[2]) + 1) if span else [int(word)]
        if len(found) > MOST_VIEWS:
            raise InputError(f"{option} names more than {MOST_VIEWS} views; no object has so many.")
    return tuple(found)
