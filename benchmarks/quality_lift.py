"""Shape and looks on the frozen validation list: lift, inflate and the nearest training mesh, in one run.

    python benchmarks/quality_lift.py MESHES PACK --weights WEIGHTS --refine 0 40 --out quality.json --cache CACHE

MESHES is a folder of meshes with its index.csv, PACK what `monoform prepare meshes` made of it (for retrieval).
Without --weights only the baselines run. The protocol stands in docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from quality.answers import Answerer, Retrieval, answers_of, picture_features, retrievable
from quality.report import lines, summary
from quality.scores import scores
from quality.truth import prepare_truth

from monoform import InputError
from monoform.atomic import atomic_file
from monoform.data import mesh_sources, validation_names
from monoform.data.splits import SCAN_PREFIXES
from monoform.methods import Reconstructor
from monoform.methods.inflate import Inflate

BASELINES = ("inflate", "nearest")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is run: picklable, so that every worker builds its own methods."""

    meshes: Path
    pack: Path
    cache: Path
    views: int
    seed: int
    weights: str | None
    methods: tuple[str, ...]
    refine: tuple[int, ...]

    @property
    def lifts(self) -> dict[str, int | None]:
        """The names under which lift appears, each with its refining steps (None: lift's own default)."""
        if "lift" not in self.methods:
            return {}
        return {f"lift refine {steps}": steps for steps in self.refine} or {"lift": None}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all that is compared."""
        return *self.lifts, *(name for name in BASELINES if name in self.methods)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who is held against whom: lift against the baselines and against itself with the first refining."""
        lifts = list(self.lifts)
        baselines = [name for name in self.labels if name in BASELINES]
        if not lifts:
            return [(baselines[0], baselines[1])] if len(baselines) == 2 else []
        return [(ours, other) for ours in lifts for other in baselines] + [(ours, lifts[0]) for ours in lifts[1:]]


class Judge:
    """Truths and methods of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sources = {source.name: source for source in mesh_sources(settings.meshes)}
        self.answerers: dict[str, Answerer] = {
            label: answers_of(lift(settings.weights or "", steps)) for label, steps in settings.lifts.items()
        }
        if "inflate" in settings.methods:
            self.answerers["inflate"] = answers_of(Inflate())
        if "nearest" in settings.methods:
            self.answerers["nearest"] = Retrieval(settings.pack, list(self.sources.values()), settings.cache)

    def rows(self, name: str) -> list[dict]:
        """One row for each view of an object."""
        settings = self.settings
        truth = prepare_truth(self.sources[name], views=settings.views, seed=settings.seed, cache=settings.cache)
        rows = []
        for view in range(settings.views):
            row: dict = {"object": name, "view": view, "scan": name.startswith(SCAN_PREFIXES)}
            for label, answerer in self.answerers.items():
                answer = answerer(truth, view)
                row[label] = scores(answer, truth, view) | {"failed": answer is None}
            rows.append(row)
        return rows


def lift(weights: str, refine: int | None) -> Reconstructor:
    """The method with given weights, and with `refine` fitting steps where that is asked for."""
    from monoform.methods.lift import Lift, LiftOptions

    options = LiftOptions(weights=weights)
    if refine is not None:
        if "refine" not in {each.name for each in dataclasses.fields(options)}:
            raise InputError("This lift has no option `refine`; leave --refine out.")
        options = dataclasses.replace(options, refine=refine)
    return Lift(options)


def all_rows(settings: Settings, names: list[str], workers: int) -> Iterator[list[dict]]:
    """Rows of every object as they come."""
    if workers == 1:
        yield from map(judge(settings).rows, names)
        return
    # Processes share the cores, so each computes with one thread.
    with multiprocessing.get_context("spawn").Pool(workers, torch.set_num_threads, (1,)) as pool:
        yield from pool.imap_unordered(functools.partial(rows_here, settings), names)


@functools.cache
def judge(settings: Settings) -> Judge:
    """This process's truths and methods, built once."""
    return Judge(settings)


def rows_here(settings: Settings, name: str) -> list[dict]:
    """Rows of one object, in a worker."""
    return judge(settings).rows(name)


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        cache = asked.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        chosen = tuple(asked.methods or (("lift", *BASELINES) if asked.weights else BASELINES))
        if "lift" in chosen and not asked.weights:
            raise SystemExit("lift needs --weights.")
        settings = Settings(
            asked.meshes, asked.pack, cache, asked.views, asked.seed, asked.weights, chosen, tuple(asked.refine)
        )
        if "nearest" in chosen:
            picture_features(retrievable(asked.pack, mesh_sources(asked.meshes)), cache)
        names, rows = validation_names()[: asked.objects], []
        for found in all_rows(settings, names, asked.workers):
            rows += found
            first = settings.labels[0]
            mean = sum(row[first]["f_0.05"] for row in found) / len(found)
            print(f"{len(rows) // asked.views}/{len(names)} {found[0]['object']}: {first} {mean:.3f}", flush=True)
    rows.sort(key=lambda row: (row["object"], row["view"]))
    result = summary(rows, settings.labels, settings.pairs)
    with atomic_file(asked.out) as draft:
        plain = {"weights": asked.weights, "views": asked.views, "seed": asked.seed, "refine": asked.refine}
        Path(draft).write_text(json.dumps({"settings": plain, "summary": result, "rows": rows}, indent=1))
    print("\n".join(lines(result)))


def arguments() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", help="folder or hub id of lift's network")
    parser.add_argument("--methods", nargs="+", choices=("lift", *BASELINES))
    parser.add_argument("--refine", type=int, nargs="+", default=[], help="fitting steps of lift to compare")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of all figures")
    parser.add_argument("--views", type=int, default=3, help="inputs of each object")
    parser.add_argument("--objects", type=int, default=60, help="how many of the list, from its start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder that keeps truths and features for the next run")
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
