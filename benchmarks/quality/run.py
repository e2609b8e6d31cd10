"""Every method on every view of the objects of a list, in one or several processes."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Protocol

from monoform.data import Source, mesh_sources
from monoform.data.objects.splits import SCAN_PREFIXES
from monoform.methods.answers import Answerer
from monoform.methods.lift.scores import scores
from monoform.metrics.shape_truth import prepare_truth
from monoform.outputs import atomic_file
from monoform.workers import map_unordered


class Settings(Protocol):
    """What is run: hashable and picklable, so that every worker builds its own methods.

    Attributes:
        meshes: folder of meshes. cache: folder of truths and features. views: inputs of each object; seed: of them.
    """

    meshes: Path
    cache: Path
    views: int
    seed: int

    def answerers(self, sources: dict[str, Source]) -> dict[str, Answerer]:
        """The methods that are compared, by their names; the first one is told of along the way."""
        ...


class Scorer:
    """Truths and methods of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sources = {source.name: source for source in mesh_sources(settings.meshes)}
        self.answerers = settings.answerers(self.sources)

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


def all_rows(settings: Settings, names: list[str], workers: int, *, told: str) -> list[dict]:
    """Rows of all objects, by object and view; `told` is the score that is printed of each as it comes."""
    rows: list[dict] = []
    for _, found in map_unordered(functools.partial(_rows_here, settings), names, workers=workers):
        rows += found
        first = next(label for label, values in found[0].items() if isinstance(values, dict))
        mean = sum(row[first][told] for row in found) / len(found)
        print(f"{len(rows) // settings.views}/{len(names)} {found[0]['object']}: {first} {told} {mean:.3f}", flush=True)
    return sorted(rows, key=lambda row: (row["object"], row["view"]))


def write(out: Path, settings: dict[str, Any], summary: dict, rows: list[dict]) -> None:
    """All figures as one JSON file."""
    with atomic_file(out) as draft:
        Path(draft).write_text(json.dumps({"settings": settings, "summary": summary, "rows": rows}, indent=1))


@functools.cache
def _scorer(settings: Settings) -> Scorer:
    """This process's truths and methods, built once."""
    return Scorer(settings)


def _rows_here(settings: Settings, name: str) -> list[dict]:
    return _scorer(settings).rows(name)
