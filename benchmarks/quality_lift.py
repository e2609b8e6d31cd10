"""Shape and looks on the frozen validation list: lift, inflate and the nearest training mesh, in one run.

    python benchmarks/quality_lift.py MESHES PACK --weights WEIGHTS --refine 0 40 --out quality.json --cache CACHE

MESHES is a folder of meshes with its index.csv, PACK what `monoform prepare meshes` made of it (for retrieval).
Without --weights only the baselines run. The protocol stands in docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from quality.answers import Retrieval, picture_features, retrievable
from quality.run import all_rows, write

from monoform import InputError
from monoform.data import Source, mesh_sources, validation_names
from monoform.methods import Reconstructor
from monoform.methods.answers import Answerer, answers_of
from monoform.methods.inflate import Inflate
from monoform.methods.lift.compared import comparison, markdown

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

    def answerers(self, sources: dict[str, Source]) -> dict[str, Answerer]:
        """The methods by their labels."""
        found: dict[str, Answerer] = {
            label: answers_of(lift(self.weights or "", steps)) for label, steps in self.lifts.items()
        }
        if "inflate" in self.methods:
            found["inflate"] = answers_of(Inflate())
        if "nearest" in self.methods:
            found["nearest"] = Retrieval(self.pack, list(sources.values()), self.cache)
        return found


def lift(weights: str, refine: int | None) -> Reconstructor:
    """The method with given weights, and with `refine` fitting steps where that is asked for."""
    from monoform.methods.lift import Lift, LiftOptions

    options = LiftOptions(weights=weights)
    if refine is not None:
        if "refine" not in {each.name for each in dataclasses.fields(options)}:
            raise InputError("This lift has no option `refine`; leave --refine out.")
        options = dataclasses.replace(options, refine=refine)
    return Lift(options)


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
        rows = all_rows(settings, validation_names()[: asked.objects], asked.workers, told="f_0.05")
    result = comparison(rows, settings.labels, settings.pairs)
    plain = {"weights": asked.weights, "views": asked.views, "seed": asked.seed, "refine": asked.refine}
    write(asked.out, plain, result, rows)
    print(markdown(result))


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
