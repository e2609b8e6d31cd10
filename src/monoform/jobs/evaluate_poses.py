"""`monoform evaluate inerf`: the protocol of poses as the loop of evaluations runs it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..devices import device_named
from ..errors import InputError
from ..methods.inerf import InerfOptions
from ..methods.nerf.scene import scene_folder
from ..metrics import evaluation
from ..metrics.evaluation import EvaluationOptions
from ..outputs import atomic_file
from ..scene.result_files import RESULT
from ..training.weights import CONFIG, weights_digest
from .estimate_pose import Disturbance, PoseOptions, estimate_pose
from .estimate_pose_protocol import Protocol, Run, chosen_views, run_of, scenes_table, starts_of, write_runs
from .pose_scenes import PoseTarget, open_scene


@dataclass(frozen=True, kw_only=True)
class PoseEvaluation(Protocol, Disturbance, EvaluationOptions):
    """Find the poses of a scene's own photos from perturbed starts, and compare them with the true ones.

    Writes OUT/poses.json (every run with its way), poses.md, success.csv, success.png, success_steps.png, metrics.json,
    metrics.md and metrics.csv. Interrupted, the same line goes on.
    """

    scene: Path
    """A folder that `monoform train scene` wrote, or a folder of several such folders; the photos that they were
    trained from have to be where they were."""
    optimizer: Literal["lm", "adam", "both"] = "lm"
    """lm, adam (the paper's), or both, from the same starts."""
    preset: str = "paper"
    """adam: settings of a published program: paper, script, notebook or screw."""
    steps: int | None = None
    """adam: updates. Default: of the preset."""
    rays: int | None = None
    """adam: pixels in each update. Default: of the preset."""
    sampling: str | None = None
    """adam: which pixels: random, center, patch, points, regions or object. Default: of the preset."""
    around: int = 7
    """lm: poses that are tried around each start."""
    noise: str = "none"
    """Disturb the photos first: gaussian, s&p, salt, pepper or poisson."""
    sigma: float = 0.05
    """Of gaussian noise."""
    amount: float = 0.05
    """Share of pixels for s&p, salt and pepper."""
    brightness: float = 0.0
    """Added to the photos' colors first, -1..1."""
    exposure: float = 1.0
    """Factor on the photos' colors first."""

    def __post_init__(self) -> None:
        for each in (Protocol, Disturbance, EvaluationOptions):
            each.__post_init__(self)


class Poses(evaluation.Protocol):
    """The poses of a scene's photos from perturbed starts, an item for each run.

    Args:
        scene: with its photos; several by their names.
        protocol: which photos and starts.
        options: how poses are found, by a name for each.
        weights: SHA-256 of the scene's file.
    """

    doing, unit = "finding cameras", "run"

    def __init__(
        self,
        scene: PoseTarget | Mapping[str, PoseTarget],
        protocol: Protocol,
        options: Mapping[str, PoseOptions],
        weights: str = "",
    ) -> None:
        self.scenes = {"": scene} if isinstance(scene, PoseTarget) else dict(scene)
        self.protocol, self.options, self.weights = protocol, options, weights
        if len(protocol.euler) not in (0, 4, 4 * len(self.scenes)):
            raise InputError(
                f"--euler has {len(protocol.euler)} numbers for {len(self.scenes)} scenes: give four, or four for each."
            )
        self.views = {name: chosen_views(each, protocol) for name, each in self.scenes.items()}
        self.items = {
            f"{name}/{where}{'_' if where else ''}photo_{view:03d}_start_{start:03d}": (name, where, view, start)
            for name in options
            for where, views in self.views.items()
            for view in range(len(views))
            for start in range(protocol.runs)
        }
        self.names = list(self.items)

    @classmethod
    def open(cls, asked: PoseEvaluation) -> Poses:
        """The protocol that is asked for.

        Raises:
            InputError: the scene cannot be opened, or has no such photos.
        """
        chosen = {"lm": InerfOptions(starts=asked.around), "adam": InerfOptions.preset(asked.preset)}
        chosen["adam"] = chosen["adam"].changed(steps=asked.steps, rays=asked.rays, sampling=asked.sampling)
        disturbance = Disturbance(*(getattr(asked, item.name) for item in fields(Disturbance)))
        options = {
            name: PoseOptions(each, disturbance=disturbance, seed=asked.seed)
            for name, each in chosen.items()
            if asked.optimizer in (name, "both")
        }
        device = device_named(asked.device).type
        folders = scene_folders(asked.scene)
        scenes = {name: open_scene(folder, device=device) for name, folder in folders.items()}
        digests = [weights_digest(scene_folder(folder)) for name, folder in folders.items() if scenes[name].views]
        weights = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return cls(scenes, asked, options, weights if digests else "")

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """A run as plain values."""
        del folder
        return self.run(number).row()

    def run(self, number: int) -> Run:
        """One photo from one start."""
        name, where, photo, which = self.items[self.names[number]]
        scene, place = self.scenes[where], list(self.scenes).index(where)
        view, search = self.views[where][photo], self.protocol.search
        start = view.camera if search else starts_of(view, scene, self.protocol, photo, place)[which]
        asked = replace(self.options[name], start=start, search=search)
        found = estimate_pose(str(view.image), scene, asked, truth=view.camera)
        return run_of(view, start, found, scene, searched=search)

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Errors, and whether they are small enough."""
        run = Run.of({"seconds": 0.0, **content})
        return {
            "rotation_degrees": run.end[0],
            "translation": run.translation,
            "translation_share": run.end[1],
            "within_5_degrees_and_0.05": float(run.end[0] < 5 and run.translation < 0.05),
            "within_2_degrees_and_2_percent": float(run.within(2.0, 0.02)),
            "believed": float(run.converged),
        }

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """poses.json, poses.md and the curves of success; of several scenes scenes.md, too."""
        results: dict[str, list[Run]] = {}
        apart: dict[str, list[Run]] = {}
        for item, content in contents.items():
            name, where = self.items[item][:2]
            run = Run.of(content)
            results.setdefault(name, []).append(run)
            apart.setdefault(f"{where}, {name}", []).append(run)
        told = write_runs(out, results, self.protocol)
        if len(self.scenes) > 1:
            table = scenes_table(apart)
            with atomic_file(out / "scenes.md") as path:
                path.write_text(table, encoding="utf-8")
            told += "\n" + table
        return told + "\n"


def scene_folders(folder: Path) -> dict[str, Path]:
    """A scene by an empty name; the scenes in a folder by the names of their folders.

    Raises:
        InputError: there is neither.
    """
    if folder.is_dir() and not any((folder / name).is_file() for name in (RESULT, CONFIG, f"weights/{CONFIG}")):
        inside = [each for each in sorted(folder.iterdir()) if (each / "weights" / CONFIG).is_file()]
        if inside:
            return {each.name: each for each in inside}
    return {"": folder}


EVALUATION = evaluation.Evaluation(
    "poses of a scene's photos from perturbed starts", PoseEvaluation, partial(evaluation.evaluate, Poses.open)
)
