"""Evaluation of LIST as its release measures: surfaces of test pictures, by category (Arshad and Beksi 2023)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...data.sdf.disn import DisnObjects
from ...data.sdf.items import as_tensor
from ...data.sdf.pix3d import Pix3dObjects
from ...errors import InputError, WriteError
from ...mesh import Mesh, sample_surface
from ...mesh.sdf_grid import UNSURE, dense_values, estimated_slope, rescaled_as_published, sparse_values, surface_of
from ...metrics.evaluation import evaluation, read_scores
from ...metrics.table import ObjectScores, markdown_of, summary_of
from ...outputs import Kind, atomic_file, atomic_folder, require_name
from ...ranges import LARGEST_SEED, require_range
from .fast import FastDistances
from .model import CoarseNet, ListNet
from .published_points import published_point_metrics
from .surface_metrics import surface_metrics

SUMMARY, TABLE, SCORES = "metrics.json", "metrics.md", "scores.json"
OBJECT = Kind("measured object", SCORES, pattern=r"pred\.obj|scores\.json")
TRUTHS = ("isosurface", "mesh")
SCALED = "isosurf_scaled.obj"
DROPPED = ("completeness2", "accuracy2")


@dataclass(frozen=True)
class ListEvaluation:
    """What is measured.

    Attributes:
        view: number of the view of each object (ShapeNet).
        limit: objects at most; 0 for all.
        nodes: of the grid along an axis; 0 takes those of the network's occupancy grid.
        dense: ask the network at every node, not coarse to fine.
        published: place vertices as the original does, and leave surfaces open where the box cuts them.
        points: drawn on each surface.
        inside_points: drawn in the box, for the IoU.
        emd_points: matched one to one for the earth mover's distance; 0 for none.
        seed: of the draws.
    """

    view: int = 0
    limit: int = 0
    nodes: int = 0
    dense: bool = False
    published: bool = False
    points: int = 100_000
    inside_points: int = 1_000_000
    emd_points: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        if min(self.points, self.inside_points) < 1 or min(self.limit, self.nodes, self.emd_points, self.view) < 0:
            raise InputError(f"An evaluation needs at least one point on surfaces and in the box: {self}.")


def evaluate_list(
    net: CoarseNet | ListNet,
    objects: DisnObjects | Pix3dObjects,
    out: str | Path,
    options: ListEvaluation | None = None,
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Write the surface of each object, `out`/CATEGORY/OBJECT/pred.obj, and its scores; then CATEGORY.csv, metrics.json
    and metrics.md. Finished objects are kept.

    A first stage is measured by its cloud alone, against as many points of the truth.

    Raises:
        InputError: the network's shapes stand as the camera sees them, a truth is missing, or `out` holds another
            evaluation.
    """
    options = options or ListEvaluation()
    if net.config.frame != "object":
        raise InputError(
            "These weights turn shapes towards the camera, and the data's truths do not: measure them with "
            "benchmarks/quality_list.py, or take weights of the configuration shapenet."
        )
    rows, skipped = [], list(objects.missing)
    names = [_checked(name) for name in objects.names[: options.limit or None]]
    with evaluation(out, options) as place:
        for index, name in enumerate(names):
            folder = place / name
            try:
                if not (folder / SCORES).is_file():
                    with atomic_folder(folder, OBJECT) as draft:
                        scores = _measured(net, objects, index, draft, options)
                        (draft / SCORES).write_text(json.dumps(scores, indent=1))
                scores = read_scores(folder, SCORES)
                if not all(isinstance(score, (int, float)) for score in scores.values()):
                    raise InputError(f"{folder / SCORES} is damaged: remove {folder}, and it is made again.")
                rows.append(ObjectScores(name.split("/", 1)[1], name.split("/")[0], 1, scores))
            except WriteError:
                raise
            except InputError as error:
                skipped.append(f"{name}: {error}")
            if progress:
                progress(index + 1, len(names), name)
        if not rows:
            raise InputError(f"None of the {len(names)} objects could be measured: {skipped[0]}")
        summary = summary_of(rows) | {"skipped": skipped, "options": asdict(options)}
        _write_tables(place, summary, rows)
    return summary


def _checked(name: str) -> str:
    """CATEGORY/OBJECT as a list has it; both become folders."""
    for part in name.split("/"):
        require_name(part)
    return name


def _write_tables(place: Path, summary: dict[str, Any], rows: list[ObjectScores]) -> None:
    with atomic_file(place / SUMMARY) as file:
        file.write_text(json.dumps(summary, indent=1))
    with atomic_file(place / TABLE) as file:
        file.write_text(markdown_of(summary), encoding="utf-8")
    for category in summary["categories"]:
        _write_csv(place / f"{category}.csv", [row for row in rows if row.category == category])


def predicted_surface(net: ListNet, picture: np.ndarray, options: ListEvaluation) -> Mesh | None:
    """The surface that a picture (h, w, 3 bytes) gives, in the unit box; None where there is none."""
    network = net.config.network
    nodes = options.nodes or network.volume_nodes
    with torch.no_grad():
        distance = FastDistances(net, net.encode(as_tensor(picture)[None]))
        if options.dense:
            grid = dense_values(distance, nodes, half_side=network.half_side)
        else:
            first = dense_values(distance, 33, half_side=network.half_side)
            slope = float(np.clip(1.2 * estimated_slope(first), 1.0, 6.0))
            grid = sparse_values(distance, nodes, half_side=network.half_side, slope=slope, coarse=UNSURE)
    if not (grid.values < 0).any() or not (grid.values > 0).any():
        return None
    mesh = surface_of(grid, closed=not options.published)
    if options.published:
        return Mesh(rescaled_as_published(mesh.vertices, nodes, network.half_side), mesh.faces)
    return mesh


def _measured(
    net: CoarseNet | ListNet, objects: DisnObjects | Pix3dObjects, index: int, draft: Path, options: ListEvaluation
) -> dict[str, float]:
    picture = objects.picture(index, options.view) if isinstance(objects, DisnObjects) else objects.picture(index)
    truth = _truth(objects, index)
    if isinstance(net, CoarseNet):
        with torch.no_grad():
            cloud = net(as_tensor(picture)[None])[0].numpy().astype(np.float64)
        reference = sample_surface(truth, len(cloud), seed=options.seed)[0]
        found = published_point_metrics(cloud, reference)
    else:
        mesh = predicted_surface(net, picture, options)
        if mesh is not None:
            mesh.export(draft / "pred.obj")
        found = surface_metrics(
            mesh,
            truth,
            points=options.points,
            inside_points=options.inside_points,
            emd_points=options.emd_points,
            seed=options.seed,
        )
    return {name: value for name, value in found.items() if name not in DROPPED}


def _truth(objects: DisnObjects | Pix3dObjects, index: int) -> Mesh:
    if isinstance(objects, DisnObjects):
        each = objects.objects[index]
        root, place = objects.root, Path(each.category) / each.name
    else:
        photo = objects.photos[index]
        root, place = objects.root / "data", Path(photo.category) / photo.model
    for folder in TRUTHS:
        file = root / folder / place / SCALED
        if file.is_file():
            return Mesh.load(file)
    raise InputError(f"There is no {SCALED} in {root / TRUTHS[0] / place}; `monoform prepare sdf` makes it.")


def _write_csv(file: Path, rows: list[ObjectScores]) -> None:
    """One line an object, and their mean, as the original writes them."""
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    with atomic_file(file) as draft, Path(draft).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["object", *names])
        for row in rows:
            writer.writerow([row.name, *(row.scores.get(name, "") for name in names)])
        means = [np.mean([row.scores[name] for row in rows if name in row.scores]) for name in names]
        writer.writerow(["mean", *means])
