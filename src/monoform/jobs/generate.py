"""Samples of a generator: each seed an object of its own, without a photo, in a result folder like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import InputError
from ..methods import Generator, every_method, make, method_class
from ..outputs import atomic_folder
from ..ranges import LARGEST_SEED, require_range
from ..scene import SavedResult
from ..scene.result_files import RECONSTRUCTED
from .batch import kept_result, not_replaced, recorded_request
from .reconstruct import ReconstructOptions, Timings, request, write_result

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


def generator_of(name: str, options: ReconstructOptions) -> Generator:
    """A method that makes samples, with its options, on the device.

    Raises:
        InputError: it makes none; the sentence names those that do.
    """
    if not issubclass(method_class(name), Generator):
        others = [other for other, method in every_method().items() if issubclass(method, Generator)]
        advice = f"choose {' or '.join(others)}" if others else "none that is installed does, a package may add one"
        raise InputError(f"{name} makes no samples: {advice}.")
    method = make(name, device=options.device, **options.overrides)
    assert isinstance(method, Generator)
    return method


def generate(
    out: Path,
    seeds: Sequence[int],
    options: ReconstructOptions,
    *,
    overwrite: bool = False,
    finish: Callable[[Path], object] | None = None,
) -> Iterator[tuple[SavedResult, bool]]:
    """The result of each seed, OUT/seed_0000 and so on, and whether it was there already.

    Args:
        options: of the method, its meshes and films; `seed` is each sample's own.
        overwrite: make finished samples anew.
        finish: called with each folder when all other files are written.

    Raises:
        InputError: the method makes no samples, or a folder holds something else; without `overwrite` also
            what was made with other options.
    """
    method = generator_of(options.method, options)
    if not overwrite:
        for seed in seeds:
            _require_same(out / f"seed_{seed:04d}", replace(options, seed=seed))
    for seed in seeds:
        folder, own = out / f"seed_{seed:04d}", replace(options, seed=seed)
        kept = None if overwrite else kept_result(folder, request(None, None, own))
        if kept is not None:
            yield SavedResult(folder, kept), True
            continue
        timings = Timings()
        with atomic_folder(folder, RECONSTRUCTED) as place:
            drawn = torch.Generator().manual_seed(seed)
            with timings("shape"), torch.inference_mode():
                sample = method.generate(method.latent(drawn), generator=drawn)
            summary = write_result(sample, place, own, timings, request(None, None, own), finish)
        yield SavedResult(folder, summary), False


def _require_same(folder: Path, options: ReconstructOptions) -> None:
    """Refuse the folder of a photo, or of a sample that was made with other options."""
    recorded, asked = recorded_request(folder), request(None, None, options)
    if recorded is None or recorded == asked:
        return
    if recorded.get("photo") is not None:
        raise not_replaced(folder, str(recorded["photo"]))
    other = next(name for name in (*asked, *recorded) if recorded.get(name) != asked.get(name))
    raise not_replaced(folder, f"another request ({other} {recorded.get(other)}, not {asked.get(other)})")
