"""Evaluation of lift: shape and looks of unseen objects from one picture of each, against the meshes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from ...data import Source, mesh_sources, validation_names
from ...data.objects.splits import SCAN_PREFIXES
from ...devices import device_named
from ...metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ...ranges import require_range
from ...text import printable
from ...training.weights import weights_digest
from ..base import Reconstructor
from .answers import answers_of
from .infer import SHIPPED, Lift, LiftOptions
from .scores import MEASURES, scores
from .truth import prepare_truth


@dataclass(frozen=True, kw_only=True)
class LiftEvaluation(EvaluationOptions):
    """Reconstruct objects from pictures of them, and compare shape and looks with the true ones.

    The objects are those of the frozen validation list; where MESHES holds no more than half of them, all its meshes.
    The protocol stands in docs/evaluation.md. Writes metrics.json, metrics.md and metrics.csv. Interrupted, the same
    line goes on.
    """

    meshes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MESHES")]
    """A folder of meshes, with its index.csv if there is one."""
    weights: str = ""
    """Folder that `monoform train lift` wrote, or OWNER/NAME on the hub. Default: the weights that ship."""
    refine: int = LiftOptions.refine
    """Steps of refinement on the picture; 0 takes the first guess."""
    views: int = 3
    """Pictures of each object, each reconstructed alone."""
    limit: int = 0
    """At most so many objects; 0 for all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--views", self.views, 1, 10_000)
        require_range("--limit", self.limit, 0, 1_000_000_000)


class UnseenObjects(Protocol):
    """Objects from single pictures: F-scores, Chamfer distance, IoU, and pictures from unseen sides.

    Args:
        method: what is measured.
        sources: the objects.
        options: how.
        skipped: what is left out, a sentence each.
        weights: SHA-256 of the method's file.
        told: which objects these are, a sentence.
    """

    doing = "reconstructing unseen objects"

    def __init__(
        self,
        method: Reconstructor,
        sources: list[Source],
        options: LiftEvaluation,
        skipped: tuple[str, ...] = (),
        weights: str = "",
        told: str = "",
    ) -> None:
        self.answer, self.sources, self.options = answers_of(method), sources, options
        self.skipped, self.weights, self.told = skipped, weights, told
        self.names = [f"{'scans' if each.name.startswith(SCAN_PREFIXES) else 'others'}/{each.name}" for each in sources]

    @classmethod
    def open(cls, asked: LiftEvaluation) -> UnseenObjects:
        """The protocol that is asked for.

        Raises:
            InputError: weights or meshes cannot be used.
        """
        method = Lift(LiftOptions(weights=asked.weights, refine=asked.refine)).to(device_named(asked.device))
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
        digest = weights_digest(asked.weights or SHIPPED.folder)
        return cls(method, chosen[: asked.limit or None], asked, skipped, digest, told)

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Scores of every picture of an object; a refused one counts as no overlap and empty pictures.

        Raises:
            InputError: the mesh cannot be used.
        """
        del folder
        truth = prepare_truth(self.sources[number], views=self.options.views, seed=self.options.seed)
        rows = []
        for view in range(self.options.views):
            answer = self.answer(truth, view)
            found = scores(answer, truth, view)
            rows.append({name: found[name] for name in MEASURES} | {"failed": float(answer is None)})
        return {"views": rows}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Which objects were measured."""
        del out, contents
        return f"{printable(self.told)}\n" if self.told else None

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Means over the pictures."""
        rows = content["views"]
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in (*MEASURES, "failed")}


EVALUATION = Evaluation("shape and looks of unseen meshes", LiftEvaluation, partial(evaluate, UnseenObjects.open))
