"""Objects that LIST does not learn from: judged and shown while it trains; the weights that do best are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...devices import device_of
from ...errors import InputError
from ...inputs import read_json_value, read_text
from ...mesh import Mesh, write_points
from ...outputs import atomic_file
from ...training.best import keep_weights
from .model import CoarseNet, ListNet
from .predictions import predicted_surface
from .stages import cloud_scores, distance_scores
from .surface_metrics import surface_metrics

BEST, MESHES, CLOUDS = "best.json", "meshes", "clouds"
AT_ONCE = 4  # objects; their volumes are large
POINTS, INSIDE_POINTS = 5_000, 20_000
TEST_VIEW, TEST_OBJECTS = 32, 24  # as the original judges
Save = Callable[[nn.Module, Path, int, Mapping[str, float]], None]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Objects that are not learned from.

    Attributes:
        batch: pictures, clouds, points and distances, as a step of the training has them.
        names: CATEGORY/OBJECT_VIEW of those whose surfaces are written, the first ones of the batch.
        truths: the true surfaces of these, where they are known.
    """

    batch: dict[str, Tensor]
    names: tuple[str, ...] = ()
    truths: tuple[Mesh | None, ...] = field(default=())


class Judge:
    """The evaluation of a stage: figures, surfaces in FOLDER/meshes/STEP, or clouds in FOLDER/clouds/STEP, and the best
    weights.

    Clouds are judged by their chamfer loss, as published; networks of the second stage by the IoU of their surfaces
    where the true ones are known, else by that of the points.

    Args:
        held: what is judged on.
        folder: of the stage.
        out: where best/ and snapshots/ go.
        save: (module, folder, step, figures) -> writes weights.
        snapshots: keep the weights of every evaluation.
    """

    def __init__(self, held: HeldOut, folder: Path, out: Path, save: Save, *, snapshots: bool = False) -> None:
        self.held, self.folder, self.out, self.save, self.snapshots = held, folder, out, save, snapshots

    def __call__(self, module: nn.Module, step: int) -> dict[str, float]:
        """Figures of the module, which is in evaluation mode, after a step."""
        if isinstance(module, CoarseNet):
            figures, metric = self._mean(module, cloud_scores), "chamfer"
            self._clouds(module, step)
        else:
            assert isinstance(module, ListNet)
            figures = self._mean(module, distance_scores) | self._surfaces(module, step)
            figures["iou_lost"], metric = 1 - figures.get("surface_iou", figures["iou"]), "iou_lost"
        file = self.folder / BEST
        before = self._before(file)
        best = torch.tensor(before, dtype=torch.float64)
        keep_weights(
            lambda place: self.save(module, place, step, figures),
            self.out,
            step,
            figures,
            best=best,
            metric=metric,
            snapshots=self.snapshots,
        )
        if float(best) < before:
            with atomic_file(file) as draft:
                draft.write_text(json.dumps({"step": step, metric: float(best)}) + "\n", encoding="utf-8")
        return figures

    def _before(self, file: Path) -> float:
        """The least figure so far; an interrupted training finds it again."""
        if not file.is_file():
            return math.inf
        stored = read_json_value(file, advice="remove it")
        found = [value for name, value in stored.items() if name != "step"] if isinstance(stored, dict) else []
        if len(found) != 1 or not isinstance(found[0], (int, float)):
            raise InputError(f"{file} does not tell the best figure so far: remove it.")
        return float(found[0])

    def _mean(self, net: nn.Module, scored: Callable[..., dict[str, float]]) -> dict[str, float]:
        """Means over all objects, a few at a time."""
        place, count = device_of(net), len(self.held.batch["images"])
        sums: dict[str, float] = {}
        for start in range(0, count, AT_ONCE):
            part = {name: values[start : start + AT_ONCE].to(place) for name, values in self.held.batch.items()}
            for name, value in scored(net, part).items():
                sums[name] = sums.get(name, 0.0) + value * len(part["images"]) / count
        return sums

    def _clouds(self, net: CoarseNet, step: int) -> None:
        """Write the clouds of the objects whose surfaces the second stage writes."""
        for number, name in enumerate(self.held.names):
            with torch.no_grad():
                cloud = net(self.held.batch["images"][number : number + 1].to(device_of(net)))[0]
            write_points(cloud.cpu().numpy(), self.folder / CLOUDS / f"{step:07d}" / f"{name}_pred.ply")

    def _surfaces(self, net: ListNet, step: int) -> dict[str, float]:
        """Write the surfaces, and measure those whose true one is known."""
        rows = []
        for number, (name, truth) in enumerate(zip(self.held.names, self.held.truths, strict=True)):
            mesh = predicted_surface(net, self.held.batch["images"][number : number + 1])
            if mesh is not None:
                mesh.export(self.folder / MESHES / f"{step:07d}" / f"{name}_pred.obj")
            if truth is not None:
                counts = {"points": POINTS, "inside_points": INSIDE_POINTS, "emd_points": 0}
                rows.append(surface_metrics(mesh, truth, **counts))
        if not rows:
            return {}
        kept = {"iou": "surface_iou", "chamfer_l2": "chamfer_l2", "fscore_1.0": "fscore_1", "failed": "failed"}
        return {ours: float(np.mean([row[name] for row in rows])) for name, ours in kept.items()}


def chosen_objects(names: Sequence[str], views: Sequence[int], most: int, test_list: str) -> list[tuple[int, int]]:
    """Number and view of the objects to be judged: those that a file lists, else some of all, evenly spread.

    Args:
        names: CATEGORY/OBJECT of all.
        views: how many each has.
        most: objects that are taken.
        test_list: a file with a line "CATEGORY OBJECT VIEW" for each; "" for none.

    Raises:
        InputError: the file cannot be read, or names what is not there.
    """
    if not test_list:
        spread = dict.fromkeys(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int).tolist())
        return [(number, min(TEST_VIEW, views[number] - 1)) for number in spread]
    numbers, found = {name: number for number, name in enumerate(names)}, []
    for line in read_text(Path(test_list), advice="put CATEGORY OBJECT VIEW on each line").splitlines():
        words = line.split()
        if not words:
            continue
        name = "/".join(words[:2])
        if len(words) != 3 or not words[2].isdigit():
            raise InputError(f"{test_list} has the line {line!r}; put CATEGORY OBJECT VIEW on each line.")
        if name in numbers and int(words[2]) < views[numbers[name]]:
            found.append((numbers[name], int(words[2])))
        if len(found) == most:
            break
    if not found:
        raise InputError(f"Of the objects that {test_list} lists none is there with that view.")
    return found
