"""monoform reconstruct PHOTO... -o OUT"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .options import parse
from .result_options import ResultOptions

if TYPE_CHECKING:
    from ..jobs.batch import Outcome


@dataclass(frozen=True)
class Reconstruct(ResultOptions):
    """Turn each PHOTO into a result folder: textured mesh, camera, overlay, turntable and a page to look at.

    Every photo is an object of its own. A rerun does only what is missing.
    """

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Paths or http(s) URLs, or folders, of which every photo is taken; none with --views."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the result folders go, each named after its photo."""
    method: str = "lift"
    """Name of the method; `monoform models` lists them."""
    weights: str | None = None
    """Folder of weights that `monoform train` or `monoform convert` wrote. Default: those that ship, where some do."""
    views: str | None = None
    """Several views of one object with their cameras: a transforms.json, or a folder with one, of the synthetic NeRF
    scenes, of LLFF or of COLMAP. For methods that take them, such as pixelnerf; masks come from the photos' alpha,
    from --mask DIR, or are found."""
    frame: tuple[int, ...] = ()
    """Numbers of those of --views that are used, from 0. Default: all."""
    up: Literal["auto", "z", "y"] = "auto"
    """The axis that points up in the world of --views."""
    refine: int | None = None
    """Steps of refinement on the photo itself, 0 for none. Default: the method's own, 40 for lift."""
    seeds: int | None = None
    """Hypotheses about the photo, ranked by how well they explain it. Default: 1."""
    mask: str | None = None
    """Mask of the photo (white: object, the photo's own size); for several photos a folder with NAME.png or
    NAME_mask.png. Default: the photo's alpha, else found automatically."""
    matting: str = "auto"
    """How a mask is found: auto, rembg (optional package), network or grabcut."""
    focal: float | None = None
    """Focal length in pixels of the original photo. Default: from EXIF, else the method's assumption."""
    seed: int = 0
    """Seed of all randomness."""
    workers: int = 1
    """Photos at once, each in a process of its own."""


def read(words: list[str]) -> Reconstruct:
    """The options."""
    return parse(Reconstruct, "reconstruct", words)


def run(words: list[str]) -> int:
    """Reconstruct, say what came out, and leave 2 when a photo failed."""
    asked = read(words)
    # Heavy imports wait until the words are understood.
    from ..app.contact import require_place, write_summary
    from ..app.report import write_report
    from ..app.words import is_guessed
    from ..errors import InputError
    from ..inputs import safe_name
    from ..jobs.batch import Item, plan
    from ..jobs.batch import run as run_batch
    from ..jobs.posed_photos import PosedPhotos
    from ..jobs.reconstruct import ReconstructOptions
    from .main import begin
    from .settings import parse_overrides

    device = begin(asked)
    given = {name: value for name in ("weights", "refine", "seeds") if (value := getattr(asked, name)) is not None}
    options = ReconstructOptions(
        method=asked.method,
        matting=asked.matting,
        focal=asked.focal,
        **asked.of_results(),
        seed=asked.seed,
        device=device,
        overrides=parse_overrides(asked.method, asked.set) | given,
    )
    if asked.views is None:
        items = plan(asked.photos, asked.out, asked.mask)
    elif asked.photos:
        raise InputError(f"--views names the photos of one object; leave out {asked.photos[0]}.")
    else:
        posed = PosedPhotos(asked.views, asked.frame, asked.up)
        items = [Item(posed, asked.out / safe_name(posed.name), asked.mask)]
    if len(items) > 1:
        require_place(asked.out)
    outcomes = run_batch(items, options, workers=asked.workers, overwrite=asked.overwrite, finish=write_report)
    if len(items) == 1:
        outcome = next(outcomes)
        if outcome.status == "failed":
            raise InputError(outcome.message)
        _print_one(outcome, asked.out)
        return 0
    done = _print_many(outcomes, len(items))
    order = {item.folder.name: number for number, item in enumerate(items)}
    rows = [outcome.row() for outcome in sorted(done, key=lambda outcome: order[outcome.name])]
    write_summary(asked.out, rows)
    failed = sum(outcome.status == "failed" for outcome in done)
    print(f"{len(done) - failed} of {len(done)} photos done; {asked.out / 'index.html'} shows them.")
    guessed = sum(outcome.status != "failed" and is_guessed(outcome.mask) for outcome in done)
    if guessed:
        print(f"{guessed} of the masks were found automatically: look at them first.")
    return 2 if failed else 0


def _print_one(outcome: Outcome, out: Path) -> None:
    folder = out / outcome.name
    kept = " (already there; --overwrite makes it anew)" if outcome.status == "kept" else f" in {outcome.seconds:.1f} s"
    print(f"{folder}{kept}: {_result(outcome)}")
    print(f"  look at it: {folder / 'report.html'}")


def _result(outcome: Outcome) -> str:
    """What is to be doubted first, then the numbers."""
    from ..app.words import fit_in_words

    faces = "" if outcome.faces is None else f"{outcome.faces:,} faces"
    numbers = ", ".join(part for part in (faces, fit_in_words(outcome.iou)) if part)
    return " ".join(part for part in (outcome.message, numbers and f"{numbers}.") if part)


def _print_many(outcomes: Iterator[Outcome], count: int) -> list[Outcome]:
    from ..progress import work

    done = []
    with work("reconstructing photos", count, unit="photo") as show:
        for outcome in outcomes:
            done.append(outcome)
            show(len(done))
            print(f"{outcome.name}: {outcome.status}, {outcome.seconds:.1f} s. {_result(outcome)}")
    return done
