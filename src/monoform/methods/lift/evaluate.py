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
from ...training.weights import weights_digest
from ..base import Reconstructor
from .answers import answers_of
from .infer import SHIPPED, Lift, LiftOptions
from .scores import MEASURES, scores
from .truth import prepare_truth


@dataclass(frozen=True, kw_only=True)
class LiftEvaluation(EvaluationOptions):
    """Reconstruct objects from pictures of them, and compare shape and looks with the true ones.

    The objects are those of the frozen validation list; where MESHES holds none of them, all its meshes. The protocol
    stands in docs/evaluation.md. Writes metrics.json, metrics.md and metrics.csv. Interrupted, the same line goes on.
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
    """

    doing = "reconstructing unseen objects"

    def __init__(
        self,
        method: Reconstructor,
        sources: list[Source],
        options: LiftEvaluation,
        skipped: tuple[str, ...] = (),
        weights: str = "",
    ) -> None:
        self.answer, self.sources, self.options = answers_of(method), sources, options
        self.skipped, self.weights = skipped, weights
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
        chosen = [there[name] for name in listed if name in there] or list(there.values())
        missing = [name for name in listed if name not in there] if chosen[0].name in listed else []
        skipped = tuple(f"{name}: there is no such mesh in {asked.meshes}." for name in missing)
        return cls(
            method, chosen[: asked.limit or None], asked, skipped, weights_digest(asked.weights or SHIPPED.folder)
        )

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

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Means over the pictures."""
        rows = content["views"]
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in (*MEASURES, "failed")}


EVALUATION = Evaluation("shape and looks of unseen meshes", LiftEvaluation, partial(evaluate, UnseenObjects.open))
