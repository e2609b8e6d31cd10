"""`monoform evaluate inerf`: the protocol of poses as the loop of evaluations runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..devices import device_named
from ..methods.inerf import InerfOptions
from ..methods.nerf.scene import scene_folder
from ..metrics import evaluation
from ..metrics.evaluation import EvaluationOptions
from ..training.weights import weights_digest
from .estimate_pose import PoseOptions, descent_options, estimate_pose
from .estimate_pose_protocol import Protocol, Run, chosen_views, run_of, starts_of, write_runs
from .pose_scenes import PoseTarget, open_scene

OPTIMIZERS: tuple[Literal["lm", "adam"], ...] = ("lm", "adam")


@dataclass(frozen=True, kw_only=True)
class PoseEvaluation(Protocol, EvaluationOptions):
    """Find the poses of a scene's own photos from perturbed starts, and compare them with the true ones.

    Writes OUT/poses.json (every run with its way), poses.md, success.png, metrics.json, metrics.md and metrics.csv.
    Interrupted, the same line goes on.
    """

    scene: Path
    """A folder that `monoform train scene` wrote; the photos it was trained from have to be where they were."""
    optimizer: Literal["lm", "adam", "both"] = "lm"
    """lm, adam (the paper's), or both, from the same starts."""
    steps: int | None = None
    """adam: updates. Default: 300."""
    rays: int | None = None
    """adam: pixels in each update. Default: 2048."""
    sampling: str | None = None
    """adam: which pixels: random, center, patch, points, regions or object. Default: regions."""
    around: int = 7
    """lm: poses that are tried around each start."""


class Poses(evaluation.Protocol):
    """The poses of a scene's photos from perturbed starts, an item for each run.

    Args:
        scene: with its photos.
        protocol: which photos and starts.
        options: how poses are found, by a name for each.
        weights: SHA-256 of the scene's file.
    """

    doing, unit = "finding cameras", "run"

    def __init__(
        self, scene: PoseTarget, protocol: Protocol, options: Mapping[str, PoseOptions], weights: str = ""
    ) -> None:
        self.scene, self.protocol, self.options, self.weights = scene, protocol, options, weights
        self.views = chosen_views(scene, protocol)
        starts = 1 if protocol.search else protocol.starts
        numbers = [
            (name, view, start) for name in options for view in range(len(self.views)) for start in range(starts)
        ]
        self.items = {
            f"{name}/photo_{view:03d}_start_{start:03d}": (name, view, start) for name, view, start in numbers
        }
        self.names = list(self.items)

    @classmethod
    def open(cls, asked: PoseEvaluation) -> Poses:
        """The protocol that is asked for.

        Raises:
            InputError: the scene cannot be opened, or has no such photos.
        """
        descent = descent_options(asked.steps, asked.rays, asked.sampling)
        options: dict[str, PoseOptions] = {
            name: PoseOptions(InerfOptions(optimizer=name, starts=asked.around, descent=descent), seed=asked.seed)
            for name in OPTIMIZERS
            if asked.optimizer in (name, "both")
        }
        scene = open_scene(asked.scene, device=device_named(asked.device).type)
        return cls(scene, asked, options, weights_digest(scene_folder(asked.scene)) if scene.views else "")

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """A run as plain values."""
        del folder
        return self.run(number).row()

    def run(self, number: int) -> Run:
        """One photo from one start."""
        name, photo, which = self.items[self.names[number]]
        view, search = self.views[photo], self.protocol.search
        start = view.camera if search else starts_of(view, self.scene, self.protocol, photo)[which]
        asked = replace(self.options[name], start=start, search=search)
        found = estimate_pose(str(view.image), self.scene, asked, truth=view.camera)
        return run_of(view, start, found, self.scene, searched=search)

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Errors, and whether they are small enough."""
        run = Run.of({"seconds": 0.0, **content})
        return {
            "rotation_degrees": run.end[0],
            "translation": run.translation,
            "translation_share": run.end[1],
            "within_2_degrees_and_2_percent": float(run.within(2.0, 0.02)),
            "believed": float(run.converged),
        }

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """poses.json, poses.md and success.png."""
        results: dict[str, list[Run]] = {}
        for name, content in contents.items():
            results.setdefault(name.split("/")[0], []).append(Run.of(content))
        return write_runs(out, results, self.protocol) + "\n"


EVALUATION = evaluation.Evaluation(
    "poses of a scene's photos from perturbed starts", PoseEvaluation, partial(evaluation.evaluate, Poses.open)
)
