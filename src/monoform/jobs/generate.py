"""Samples of a generator: each seed an object of its own, without a photo, in a result folder like any other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError, WriteError
from ..inputs import read_json
from ..mesh import NoSurfaceError
from ..methods import Generator, every_method, make, method_class
from ..outputs import atomic_folder
from ..ranges import LARGEST_SEED, require_range
from ..scene.result_files import RECONSTRUCTED
from ..text import printable
from ..training.weights import CONFIG, missing_weights
from .batch import Outcome, kept_result, not_replaced, outcome_of, recorded_request
from .reconstruct_options import ReconstructOptions, request
from .sample_films import Stop, styles_of
from .sample_pictures import GenerateOptions, cameras_of, write_pictures
from .write_result import Timings, write_result

MOST = 1_000_000  # samples of one command


def seeds_in(words: Sequence[str]) -> list[int]:
    """The seeds of words like "0-7" and "12".

    Raises:
        InputError: a word is neither a number nor a range, or there are too many.
    """
    found: list[int] = []
    for word in words:
        span = re.fullmatch(r"(\d{1,20})(?:-(\d{1,20}))?", word)
        if span is None:
            raise InputError(f"--seeds has {word!r}; give numbers and ranges, as in 0-7 12.")
        first, last = int(span[1]), int(span[2] or span[1])
        require_range("--seeds", max(first, last), 0, LARGEST_SEED)
        if not first <= last < first + MOST - len(found):
            raise InputError(f"--seeds has {word!r}; a range goes upwards, over at most {MOST} seeds in all.")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def stops_in(words: Sequence[str]) -> list[Stop]:
    """Seeds as in `seeds_in`, and folders of results among them.

    Raises:
        InputError: a word is neither.
    """
    found: list[Stop] = []
    for word in words:
        is_seed = re.fullmatch(r"[\d-]+", word)
        found += [Path(word)] if not is_seed and Path(word).is_dir() else seeds_in([word])
    return found


def generator_of(options: ReconstructOptions) -> Generator:
    """A method that makes samples, with its options, on the device.

    Raises:
        InputError: it makes none; the sentence names those that do.
    """
    name = options.method
    if not issubclass(method_class(name), Generator):
        others = list(_generators())
        advice = f"choose {' or '.join(others)}" if others else "none that is installed does, a package may add one"
        raise InputError(f"{name} makes no samples: {advice}.")
    method = make(name, device=options.device, **options.overrides)
    assert isinstance(method, Generator)
    return method


def generator_of_weights(folder: str) -> str:
    """The name of the method whose weights a folder holds.

    Raises:
        InputError: it holds none, or of no generator; the sentence says so.
    """
    if not Path(folder).is_dir():
        raise InputError(f"There are no weights at {folder}: give a folder that exists, or name the METHOD.")
    found = read_json(Path(folder) / CONFIG, advice="get the weights again", missing=missing_weights(Path(folder)))
    made = found.get("architecture")
    for name, method in _generators().items():
        if made in method.architectures:
            return name
    if not isinstance(made, str):
        raise InputError(
            f"{folder} does not say what its weights are of (no architecture in {CONFIG}): name the METHOD."
        )
    raise InputError(f"{folder} holds weights of {made!r:.60}, of which no method makes samples: name the METHOD.")


def _generators() -> dict[str, type[Generator]]:
    return {name: method for name, method in every_method().items() if issubclass(method, Generator)}


def generate(
    out: Path,
    seeds: Sequence[int],
    options: GenerateOptions,
    *,
    overwrite: bool = False,
    finish: Callable[[Path], object] | None = None,
    method: Generator | None = None,
) -> Iterator[Outcome]:
    """Make the result of each seed, OUT/seed_0000 and so on; yield what became of it: one failure stops no other.

    Args:
        options: of the method, its pictures, meshes and films; `seed` is each sample's own.
        overwrite: make finished samples anew.
        finish: called with each folder when all other files are written.
        method: the generator, where it is made already.

    Raises:
        InputError: the method makes no samples, or a folder holds something else; without `overwrite` also
            what was made with other options.
        WriteError: the disk is full.
    """
    method = method or generator_of(options)
    if not overwrite:
        for seed in seeds:
            _require_same(out / f"seed_{seed:04d}", replace(options, seed=seed))
    for seed in seeds:
        folder, own = out / f"seed_{seed:04d}", replace(options, seed=seed)
        kept = None if overwrite else kept_result(folder, request(None, None, own))
        if kept is not None:
            yield outcome_of(folder, "kept", kept, 0.0)
            continue
        start = time.perf_counter()
        try:
            with atomic_folder(folder, RECONSTRUCTED, inputs=options.files) as place:
                summary = _write_sample(method, place, own, finish)
        except InputError as error:
            if isinstance(error, WriteError) and error.is_full:
                raise
            yield Outcome(folder.name, "failed", printable(error), round(time.perf_counter() - start, 2))
            continue
        yield outcome_of(folder, "done", summary, round(time.perf_counter() - start, 2))


def _write_sample(
    method: Generator, place: Path, options: GenerateOptions, finish: Callable[[Path], object] | None
) -> dict[str, object]:
    timings, meshed = Timings(), options.meshed
    with timings("shape"):
        styles, drawn = styles_of(method, options.seed)
        cameras = cameras_of(method, styles, options.cameras, options.views)
        with torch.inference_mode():
            sample = method.of_styles(styles, generator=drawn)
    if options.film == "field" and not sample.draws_itself:
        raise InputError(f"{options.method} gives no radiance field to film: choose --film mesh.")
    notices = list(styles.notices)
    if meshed:
        try:
            with timings("mesh"):
                sample.mesh(faces=options.faces, texture=options.texture, resolution=options.resolution)
        except NoSurfaceError as error:
            notices.append(f"There is no mesh: {error}")
            meshed = False
    with timings("pictures"):
        write_pictures(sample, method.studio, cameras, place, options)
    around = method.studio.orbit(options.frames) if options.frames and sample.draws_itself else None
    asked = request(None, None, options)
    how: dict[str, Any] = {"meshed": meshed, "around": around, "seen_by": cameras[0], "notices": notices}
    return write_result(sample, place, options, timings, asked, finish, **how)


def _require_same(folder: Path, options: GenerateOptions) -> None:
    """Refuse the folder of a photo, or of a sample that was made with other options."""
    recorded, asked = recorded_request(folder), request(None, None, options)
    if recorded is None or recorded == asked:
        return
    if recorded.get("photo") is not None:
        raise not_replaced(folder, str(recorded["photo"]))
    other = next(name for name in (*asked, *recorded) if recorded.get(name) != asked.get(name))
    raise not_replaced(folder, f"another request ({other} {recorded.get(other)}, not {asked.get(other)})")
