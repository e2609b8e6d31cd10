"""monoform reconstruct PHOTO... -o OUT"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..ranges import LARGEST_SEED, require_range
from .options import parse
from .result_options import ResultOptions

if TYPE_CHECKING:
    from ..inputs.remote import AnyPath
    from ..jobs.batch import Outcome
    from ..jobs.engines import Engine

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Reconstruct(ResultOptions):
    """Turn each PHOTO into a result folder: textured mesh, camera, overlay, turntable and a page to look at.

    Every photo is an object of its own. A rerun does only what is missing.
    """

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Paths, http(s) URLs, addresses that fsspec knows (s3://...), or folders, of which every photo is taken; none
    with --views."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the result folders go, each named after its photo: a folder, or its address (s3://...)."""
    method: str = "lift"
    """Name of the method; `monoform models` lists them."""
    weights: str | None = None
    """Folder of weights that `monoform train` or `monoform convert` wrote. Default: those that ship, where some do."""
    views: str | None = None
    """Several views of one object with their cameras: a transforms.json, or a folder with one, of the synthetic NeRF
    scenes, of LLFF or of COLMAP. With a PHOTO, a folder of further photos of its object without cameras: each is posed
    against the result of PHOTO. For methods that take them (lift, list, pixelnerf, triposr); masks come from the
    photos' alpha, from --mask DIR, or are found."""
    frame: tuple[int, ...] = ()
    """Numbers of those of --views that are used, from 0. Default: all."""
    up: Literal["auto", "z", "y"] = "auto"
    """The axis that points up in the world of --views."""
    refine: int | None = None
    """Steps of refinement on the photo itself, 0 for none. Default: the method's own, 40 for lift."""
    seeds: int | None = None
    """Guesses at each photo, ranked: hypotheses of a method that has such (lift), all in one folder; else results from
    --seed and the seeds after it, each in a folder of its own. Default: 1."""
    rank_by: Literal["mean", "psnr", "iou", "fog", "clip"] = "mean"
    """What results of several seeds are ranked by: the likeness to the photo (psnr), how the silhouette follows the
    mask (iou), how far it is no solid thing (fog), how its other sides are like the photo (clip, with --clip), or the
    mean of their ranks."""
    clip: str | None = None
    """Folder or hub id of a CLIP model, by which the other sides of results of several seeds are compared to the
    photo."""
    mask: tuple[str, ...] = ()
    """Mask of the photo (white: object, the photo's own size); several masks of one photo are several objects with one
    camera. For several photos a folder with NAME.png or NAME_mask.png. Default: the photo's alpha, else found
    automatically."""
    matting: str = "auto"
    """How a mask is found: auto, rembg (optional package), network or grabcut."""
    box: str | None = None
    """X,Y,W,H: left, top, width and height of a box with the whole object of a single photo in it, in pixels of the
    upright photo; helps to find its mask."""
    point: tuple[str, ...] = ()
    """X,Y of a pixel that is the object's and is to be kept in the mask; several may be given."""
    not_: Annotated[tuple[str, ...], tyro.conf.arg(name="not")] = ()
    """X,Y of a pixel that is not the object's and is to be left out of the mask; several may be given."""
    focal: float | None = None
    """Focal length in pixels of the original photo. Default: from EXIF, else the method's assumption."""
    seed: int = 0
    """Seed of all randomness."""
    workers: int | None = None
    """Photos at once, each in a process of its own. Default: 1; on a cluster as many as it lets run."""
    engine: Literal["local", "slurm", "ray"] = "local"
    """Where the photos are computed: here; as a job array of a SLURM cluster, which needs 'monoform[cluster]'; or by
    Ray Data, which needs 'monoform[ray]'. All machines must see the photos and -o."""
    slurm: tuple[str, ...] = ()
    """What each job asks the cluster for, as NAME=VALUE: partition, account, qos, constraint, gpus, cpus, memory (GB),
    minutes (90, then it is put into the queue again)."""
    ray_address: str | None = None
    """A running Ray cluster, such as auto or ray://head:10001. Default: actors of this machine."""
    ray_cpus: int | None = None
    """Cores of an actor. Default: on a cluster one, here its share of all."""


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
    from ..inputs.remote import place_of
    from ..jobs.batch import Item, plan
    from ..jobs.batch import run as run_batch
    from ..jobs.further_photos import FurtherPhotos, has_cameras
    from ..jobs.posed_photos import PosedPhotos
    from ..jobs.reconstruct_options import ReconstructOptions
    from ..jobs.seeds import seeded
    from ..matting import Hints
    from .main import begin
    from .settings import parse_overrides

    out = place_of(asked.out)
    asked = _with_photos(asked)
    mask = asked.mask if len(asked.mask) > 1 else next(iter(asked.mask), None)
    engine = _engine(asked, out)
    device = begin(asked if asked.engine == "local" else replace(asked, device="cpu"))
    many = _seeds_of_their_own(asked)
    names = ("weights", "refine", *(() if many else ("seeds",)))
    here = Path(".") if not isinstance(out, Path) else out
    if many > 1 and here != out:
        raise InputError(f"--seeds ranks results that lie in a folder here: give one instead of {out}.")
    model = _clip(asked, many)
    given = {name: value for name in names if (value := getattr(asked, name)) is not None}
    options = ReconstructOptions(
        method=asked.method,
        matting=asked.matting,
        hints=Hints.read(asked.box, asked.point, asked.not_),
        focal=asked.focal,
        **asked.of_results(),
        seed=asked.seed,
        device=device,
        overrides=parse_overrides(asked.method, asked.set) | given,
        measured=many > 1,
    )
    if asked.views is None:
        items = plan(asked.photos, out, mask)
    elif len(asked.photos) == 1 and not has_cameras(asked.views):
        if asked.frame:
            raise InputError("--frame chooses among --views that have cameras; these have none.")
        further = FurtherPhotos(asked.photos[0], asked.views)
        items = [Item(further, out / further.name, next(iter(asked.mask), None))]
    elif asked.photos:
        raise InputError(f"--views names the photos of one object; leave out {asked.photos[0]}.")
    else:
        if len(asked.mask) > 1:
            raise InputError("--views takes one --mask: the folder of all its masks.")
        posed = PosedPhotos(asked.views, asked.frame, asked.up)
        items = [Item(posed, out / safe_name(posed.name), next(iter(asked.mask), None))]
    if options.film == "field" and items[0].beside:
        raise InputError("--film field shows one object in a world of its own: give one mask, or choose --film mesh.")
    if options.hints and len(items) > 1:
        raise InputError(f"--box, --point and --not are for a single photo, and {len(items)} are given.")
    items = seeded(items, many, asked.seed) if many > 1 else items
    if len(items) > 1:
        require_place(out)
    outcomes = run_batch(
        items,
        options,
        engine=engine,
        device=None if asked.engine == "local" else asked.device,
        overwrite=asked.overwrite,
        finish=write_report,
    )
    if len(items) == 1:
        (outcome,) = outcomes
        if outcome.status == "failed":
            raise InputError(outcome.message)
        _print_one(outcome, out)
        return 0
    unit = "result" if many > 1 else "object" if items[0].beside else "photo"
    found = {outcome.name: outcome for outcome in _print_many(outcomes, len(items), unit)}
    done = [found[item.folder.name] for item in items]
    if many > 1:
        done = _ranked(done, many, asked, here, model)
    write_summary(out, [outcome.row() for outcome in done], unit)
    failed = sum(outcome.status == "failed" for outcome in done)
    print(f"{len(done) - failed} of {len(done)} {unit}s done; {out / 'index.html'} shows them.")
    guessed = sum(outcome.status != "failed" and is_guessed(outcome.mask) for outcome in done)
    if guessed:
        print(f"{guessed} of the masks were found automatically: look at them first.")
    return 2 if failed else 0


def _with_photos(asked: Reconstruct) -> Reconstruct:
    """The words with the photos that stand behind --mask MASK; where a photo comes before, masks stand there."""
    first, rest = asked.mask[:1], asked.mask[1:]
    if rest and asked.views is None and (not asked.photos or os.path.isdir(first[0])):
        return replace(asked, mask=first, photos=(*asked.photos, *rest))
    return asked


def _engine(asked: Reconstruct, out: AnyPath) -> Engine:
    """Where it is computed.

    Raises:
        InputError: it cannot be computed there.
    """
    from ..errors import InputError
    from ..jobs.engines import Cluster, JobOptions, Local
    from .settings import parse_settings

    words: dict[str, dict[str, object]] = {"slurm": {"--slurm": next(iter(asked.slurm), None)}}
    words["ray"] = {"--ray-address": asked.ray_address, "--ray-cpus": asked.ray_cpus}
    for name, given in words.items():
        flag = next((each for each, value in given.items() if value is not None), None)
        if flag and asked.engine != name:
            raise InputError(f"{flag} {given[flag]} is for --engine {name}: add it, or leave this out.")
    if asked.engine == "local":
        return Local(1 if asked.workers is None else asked.workers)
    if asked.engine == "ray":
        from ..jobs.ray_engine import RayData

        return RayData(asked.workers, asked.ray_address or "", asked.ray_cpus, int(asked.device == "cuda"))
    if not isinstance(out, Path):
        raise InputError(f"--engine slurm keeps its jobs' files in -o, and {out} is no folder that its machines see.")
    options = JobOptions(**parse_settings(JobOptions, asked.slurm, "a job", flag="--slurm"))
    if asked.device == "cuda" and not options.gpus:
        raise InputError("--device cuda: a job has no GPU unless it asks for one: add --slurm gpus=1.")
    return Cluster(out, options, asked.workers)


def _seeds_of_their_own(asked: Reconstruct) -> int:
    """How many results are made of each photo; 0 where the method itself has hypotheses, or none are asked for."""
    from ..methods import method_class

    if asked.seeds is None or any(each.name == "seeds" for each in fields(method_class(asked.method).config_class)):
        return 0
    require_range("--seeds", asked.seeds, 1, MOST_SEEDS)
    require_range("--seed", asked.seed + asked.seeds - 1, 0, LARGEST_SEED)
    return asked.seeds


def _clip(asked: Reconstruct, many: int) -> Any:
    """The model of --clip, before anything is computed; None where none is asked for."""
    from ..errors import InputError

    if asked.clip is None:
        if asked.rank_by == "clip":
            raise InputError("--rank-by clip needs a model: add --clip, the folder of a CLIP model.")
        return None
    if many < 2:
        raise InputError("--clip ranks the results of several seeds: add --seeds 2 or more, or leave it out.")
    from ..guidance.clip import open_clip

    return open_clip(asked.clip, "leave out --clip")[0]


def _ranked(done: list[Outcome], many: int, asked: Reconstruct, out: Path, model: Any) -> list[Outcome]:
    """The results, those of each photo the best first; which are the best is printed."""
    from ..app.words import figures_in_words
    from ..jobs.seeds import are_the_same, ranked, with_clip

    found: list[Outcome] = []
    done = done if model is None else with_clip(done, out, model)
    for first in range(0, len(done), many):
        those = ranked(done[first : first + many], asked.rank_by)
        found += those
        for outcome in those:
            if outcome.rank is not None:
                print(f"{outcome.rank}. {outcome.name}: {figures_in_words(outcome.row())}")
        if are_the_same(those, out):
            print(f"All seeds gave the same mesh: {asked.method} draws nothing here.")
    return found


def _print_one(outcome: Outcome, out: AnyPath) -> None:
    folder = out / outcome.name
    kept = " (already there; --overwrite makes it anew)" if outcome.status == "kept" else f" in {outcome.seconds:.1f} s"
    print(f"{folder}{kept}: {_result(outcome)}")
    print(f"  look at it: {folder / 'report.html'}")


def _result(outcome: Outcome) -> str:
    """What is to be doubted first, then the numbers."""
    from ..app.words import fit_in_words

    faces = "" if outcome.faces is None else f"{outcome.faces:,} faces"
    numbers = ", ".join(part for part in (faces, fit_in_words(outcome.iou, outcome.confidence)) if part)
    return " ".join(part for part in (outcome.message, numbers and f"{numbers}.") if part)


def _print_many(outcomes: Iterator[Outcome], count: int, unit: str) -> list[Outcome]:
    from ..progress import work

    done = []
    with work("reconstructing photos", count, unit=unit) as show:
        for outcome in outcomes:
            done.append(outcome)
            show(len(done))
            print(f"{outcome.name}: {outcome.status}, {outcome.seconds:.1f} s. {_result(outcome)}")
    return done
