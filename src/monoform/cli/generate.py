"""monoform generate METHOD --seeds 0-7 -o OUT, and the same with --weights, --interpolate, --mix or --published"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..errors import InputError
from .options import parse
from .result_options import ResultOptions

if TYPE_CHECKING:
    from ..jobs.batch import Outcome
    from ..jobs.sample_films import Stop
    from ..jobs.sample_pictures import GenerateOptions
    from ..methods import Generator

OF_THE_METHOD = ("weights", "truncation", "cutoff", "noise")  # given where they are said; a method may lack them


@dataclass(frozen=True)
class Generate(ResultOptions):
    """Make objects without a photo, by a method that can: each seed a result folder, as reconstruct writes them.

    Each folder has the sample's pictures (image, depth, normals), its camera, its mesh and two films. A rerun does only
    what is missing.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the result folders go, seed_0000 and so on; films and sheets lie beside them."""
    method: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="METHOD")] = ""
    """Name of the method; `monoform models` lists them with their verbs. Not needed with --weights."""
    weights: str | None = None
    """Folder of weights that `monoform train` or `monoform convert` wrote."""
    seeds: tuple[str, ...] = ()
    """Numbers and ranges of seeds, for instance 0-7 12; of films also folders of results that the same generator made
    (bootstrap). Default: 0."""
    truncation: float | None = None
    """How far samples lie from the mean one, 1 as far as they are drawn, for methods that have it (pof3d)."""
    cutoff: int | None = None
    """Only so many layers, the coarse ones, are truncated. Default: all."""
    noise: str | None = None
    """Noise in the layers of the network: const, the same for all samples, or random, of the seed (pof3d)."""
    cameras: Literal["auto", "predicted", "fixed", "orbit"] = "auto"
    """From where samples are seen: predicted for each by the method, fixed, or an orbit of --views pictures. auto:
    predicted where the method predicts, else fixed."""
    views: int = 8
    """Pictures of an orbit."""
    wobble: int = 24
    """Frames of the film from a camera that moves a little; 0 leaves it out."""
    mesh: bool = True
    """Make a mesh of each sample."""
    labels: bool = False
    """Write the pictures once more as a data set with dataset.json: the camera of each in 25 numbers."""
    interpolate: bool = False
    """A film from sample to sample, interpolation.mp4, in place of the samples' folders."""
    mix: tuple[str, str] | None = None
    """A film in which the layers of B replace those of A, the finest first, and its stations as a picture; each a seed,
    or the folder of a result as in --seeds."""
    between: int = 24
    """Frames of --interpolate from one sample to the next; --mix has a fourth of them for each layer."""
    published: bool = False
    """Write the files of the authors' program, under their names, in place of result folders (pof3d)."""
    shapes: Literal["none", "mrc", "ply"] = "none"
    """With --published: each sample's shape, as a volume or a mesh."""
    shape_resolution: int = 512
    """With --published: points along a side of the volume."""


def read(words: list[str]) -> Generate:
    """The options."""
    asked = parse(Generate, "generate", words)
    if not asked.method and asked.weights is None:
        raise InputError("generate needs METHOD or --weights; `monoform generate --help` lists its options.")
    if asked.published and (asked.interpolate or asked.mix):
        raise InputError("--published writes the files of the authors' program: leave out --interpolate and --mix.")
    if asked.shapes != "none" and not asked.published:
        raise InputError("--shapes is of the authors' files: give --published too; results have a mesh without it.")
    return asked


def run(words: list[str]) -> int:
    """Make the samples or films, and say where they are; leave 2 when a sample failed."""
    asked = read(words)
    from ..jobs.generate import generator_of, generator_of_weights, seeds_in, stops_in
    from ..jobs.sample_pictures import GenerateOptions
    from .main import begin
    from .settings import parse_overrides

    device = begin(asked)
    name = asked.method or generator_of_weights(str(asked.weights))
    given = {name: value for name in OF_THE_METHOD if (value := getattr(asked, name)) is not None}
    options = GenerateOptions(
        method=name,
        **asked.of_results(),
        overrides=parse_overrides(name, asked.set) | given,
        device=device,
        **{name: getattr(asked, name) for name in ("cameras", "views", "wobble")},
        meshed=asked.mesh,
    )
    said = asked.seeds or ("0",)
    if asked.interpolate or asked.mix:
        stops, mixed = stops_in(said), stops_in(asked.mix or ())
        if asked.mix and len(mixed) != 2:
            raise InputError(f"--mix is {' '.join(asked.mix)}; give two seeds or folders of results, A and B.")
        return _films(generator_of(options), asked, stops, mixed, options)
    seeds, method = seeds_in(said), generator_of(options)
    return (_published if asked.published else _samples)(method, asked, seeds, options)


def _samples(method: Generator, asked: Generate, seeds: Sequence[int], options: GenerateOptions) -> int:
    from ..app.contact import require_place
    from ..app.report import write_report
    from ..jobs.generate import generate
    from ..outputs import is_marked, require_free_file

    many = len(seeds) > 1
    if many:
        require_place(asked.out)
        require_free_file(asked.out / "sheet.png", is_ours=is_marked)
    made = generate(asked.out, seeds, options, overwrite=asked.overwrite, finish=write_report, method=method)
    outcomes = list(_told(made, asked.out, len(seeds)))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed and not many:
        raise InputError(failed[0].message)
    done = [asked.out / outcome.name for outcome in outcomes if outcome.status != "failed"]
    if many:
        _write_sheets(asked.out, outcomes, done)
    if asked.labels and done:
        from ..jobs.sample_labels import write_data_set

        print(write_data_set(method, done, asked.out / "data_set"))
    return 2 if failed else 0


def _told(made: Iterator[Outcome], out: Path, count: int) -> Iterator[Outcome]:
    from ..progress import work

    with work("making samples", count, unit="sample") as show:
        for number, outcome in enumerate(made, start=1):
            show(number)
            kept = " (already there; --overwrite makes it anew)" if outcome.status == "kept" else ""
            if outcome.status != "failed":
                print(f"{out / outcome.name}{kept}{': ' + outcome.message if outcome.message else ''}")
            elif count > 1:
                print(f"{outcome.name}: failed. {outcome.message}")
            yield outcome


def _write_sheets(out: Path, outcomes: Sequence[Outcome], done: Sequence[Path]) -> None:
    """sheet.png with the picture of each sample, index.html and summary.csv."""
    from PIL import Image

    from ..app.contact import write_summary
    from ..jobs.sample_labels import pictures_of
    from ..jobs.sample_pictures import sheet
    from ..outputs import save_picture

    if done:
        pictures = [pictures_of(folder)[0][0] for folder in done]
        save_picture(Image.fromarray(sheet(pictures)), out / "sheet.png", marked=True)
        print(out / "sheet.png")
    if out.is_dir():
        write_summary(out, [outcome.row() for outcome in outcomes], unit="sample")


def _films(
    method: Generator, asked: Generate, stops: Sequence[Stop], mixed: Sequence[Stop], options: GenerateOptions
) -> int:
    from ..inputs import safe_name
    from ..jobs.sample_films import write_interpolation, write_mixture

    how: dict[str, Any] = {"between": asked.between, "overwrite": asked.overwrite}
    if asked.interpolate:
        print(write_interpolation(method, stops, asked.out / "interpolation.mp4", options, **how))
    if mixed:
        one, other = mixed
        name = "_".join(f"{each:04d}" if isinstance(each, int) else safe_name(each.name) for each in mixed)
        for path in write_mixture(method, (one, other), asked.out / f"mix_{name}.mp4", options, **how):
            print(path)
    return 0


def _published(method: Generator, asked: Generate, seeds: Sequence[int], _: GenerateOptions) -> int:
    from ..methods import PublishedSamples

    options = PublishedSamples(asked.shapes, asked.shape_resolution, asked.overwrite)
    for line in method.write_published(asked.out, seeds, options):
        print(line)
    return 0
