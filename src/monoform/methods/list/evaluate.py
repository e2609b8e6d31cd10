"""Evaluation of LIST as its release measures: surfaces of test pictures, by category (Arshad and Beksi 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn.functional import avg_pool2d

from ...data.sdf.disn import DisnObjects
from ...data.sdf.items import as_tensor
from ...data.sdf.pix3d import Pix3dObjects
from ...devices import device_named, device_of, hosted
from ...errors import InputError
from ...inputs.several import Words
from ...inversion.silhouette_pose import MaskFit, orbit_rotations
from ...mesh import Mesh, sample_surface
from ...mesh.sdf_grid import UNSURE, dense_values, estimated_slope, sparse_values, surface_of
from ...metrics.evaluation import SECONDS, Evaluation, EvaluationOptions, Protocol, evaluate
from ...metrics.table import as_csv
from ...outputs import atomic_file
from ...ranges import LARGEST_SEED, require_range
from ...scene.crop import around
from ...training.weights import load_pretrained, weights_digest
from .config import ListConfig
from .fast import FastDistances
from .frame import turned_to
from .infer import SHIPPED
from .model import CoarseNet, ListNet, build
from .published_points import published_point_metrics, rescaled_as_published
from .surface_metrics import surface_metrics

TRUTHS = ("isosurface", "mesh")
SCALED = "isosurf_scaled.obj"
DROPPED = ("completeness2", "accuracy2")
FOCAL = 35 / 32  # of ShapeNet's pictures, in their widths
FINER = 4  # times as many pixels are cut out as the network sees; each of its pixels is the mean of what it covers
LIKELY = 6  # cameras around the truth that are refined: an outline may look nearly the same from another side
TURNED = (
    "These weights turn shapes towards the camera; the truths are turned likewise, by the camera of the record where "
    "it has one, else by the one from which they have the picture's outline.\n\n"
)


@dataclass(frozen=True, kw_only=True)
class ListEvaluation(EvaluationOptions):
    """Reconstruct the test pictures of a data set and measure the surfaces as LIST's release does.

    Writes OUT/CATEGORY/OBJECT/pred.obj, CATEGORY.csv, metrics.json, metrics.md and metrics.csv. Interrupted, the same
    line goes on.
    """

    data: Path
    """A data set in ShapeNet's or Pix3D's layout, sampled with `monoform prepare sdf`."""
    weights: str = ""
    """Folder that `monoform convert` or `monoform train list` wrote; a first stage is measured by its cloud. Default:
    the small weights that ship."""
    split: Literal["train", "test"] = "test"
    """Of the data set."""
    categories: Words = ()
    """Only these, for instance 03001627 04379243. Default: all."""
    view: int = 0
    """View of each object (ShapeNet)."""
    limit: int = 0
    """At most so many objects; 0 for all."""
    nodes: int = 0
    """Of the grid along an axis; 0 takes those of the network's occupancy grid (128 as published)."""
    dense: bool = False
    """Ask the network at every node instead of coarse to fine."""
    published: bool = False
    """Place vertices as the original does, and leave surfaces open where the box cuts them."""
    points: int = 100_000
    """Drawn on each surface."""
    inside_points: int = 1_000_000
    """In the box, for the IoU."""
    emd_points: int = 1024
    """Matched one to one for the earth mover's distance; 0 for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("view", "limit", "nodes", "emd_points"):
            require_range(f"--{name.replace('_', '-')}", getattr(self, name), 0, LARGEST_SEED)
        for name in ("points", "inside_points"):
            require_range(f"--{name.replace('_', '-')}", getattr(self, name), 1, LARGEST_SEED)


class Surfaces(Protocol):
    """The surface of each test picture against the true one, in the frame in which the network gives shapes.

    A first stage is measured by its cloud alone, against as many points of the truth.

    Args:
        net: the network.
        objects: a split of a data set.
        weights: SHA-256 of the network's file.
    """

    doing, files = "measuring surfaces", r"pred\.obj"

    def __init__(
        self,
        net: CoarseNet | ListNet,
        objects: DisnObjects | Pix3dObjects,
        options: ListEvaluation,
        weights: str = "",
    ) -> None:
        self.net, self.objects, self.options, self.weights = net, objects, options, weights
        self.names, self.skipped = objects.names[: options.limit or None], tuple(objects.missing)

    @classmethod
    def open(cls, asked: ListEvaluation) -> Surfaces:
        """The protocol that is asked for.

        Raises:
            InputError: weights or data cannot be used.
        """
        chosen = asked.categories or None
        objects: DisnObjects | Pix3dObjects
        if (asked.data / "data" / "pix3d.json").is_file():
            objects = Pix3dObjects(asked.data, asked.split, categories=chosen)
        else:
            objects = DisnObjects(asked.data, asked.split, categories=chosen, cloud=False)
        folder = asked.weights or str(SHIPPED.folder)
        net, _ = load_pretrained(build, ListConfig, folder, device=device_named(asked.device))
        return cls(net, objects, asked, weights_digest(folder))

    def measure(self, number: int, folder: Path) -> dict[str, float]:
        """Write the surface, pred.obj, and measure it.

        Raises:
            InputError: the picture or the truth is missing.
        """
        net, objects, options = self.net, self.objects, self.options
        if isinstance(objects, DisnObjects):
            picture, eye = objects.picture(number, options.view), None
        else:
            picture, eye = objects.picture(number), objects.photos[number].eye
        truth = in_frame(net.config, _truth(objects, number), picture, eye)
        seen = seen_by(net.config, picture)
        if isinstance(net, CoarseNet):
            with torch.no_grad():
                cloud = net(seen.to(device_of(net)))[0].cpu().numpy().astype(np.float64)
            reference = sample_surface(truth, len(cloud), seed=options.seed)[0]
            found = published_point_metrics(cloud, reference)
        else:
            mesh = predicted_surface(net, seen, options)
            if mesh is not None:
                mesh.export(folder / "pred.obj")
            found = surface_metrics(
                mesh,
                truth,
                points=options.points,
                inside_points=options.inside_points,
                emd_points=options.emd_points,
                seed=options.seed,
            )
        return {name: value for name, value in found.items() if name not in DROPPED}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """CATEGORY.csv as the original writes them: one line an object, and their mean."""
        for category in sorted({name.split("/")[0] for name in contents}):
            own = {name.split("/", 1)[1]: each for name, each in contents.items() if name.split("/")[0] == category}
            names = [name for name in dict.fromkeys(name for each in own.values() for name in each) if name != SECONDS]
            means = [np.mean([each[name] for each in own.values() if name in each]) for name in names]
            rows = [[object_, *(each.get(name, "") for name in names)] for object_, each in own.items()]
            with atomic_file(out / f"{category}.csv") as file:
                file.write_text(as_csv([["object", *names], *rows, ["mean", *means]]), encoding="utf-8")
        return TURNED if self.net.config.frame == "upright" else None


EVALUATION = Evaluation("surfaces of test pictures, by category", ListEvaluation, partial(evaluate, Surfaces.open))


def seen_by(config: ListConfig, picture: UInt8[np.ndarray, "h w 3"]) -> Float[torch.Tensor, "1 3 s s"]:
    """A picture as the network was trained on such: as it is, or the square around what is not black."""
    whole = as_tensor(picture)[None]
    if not config.margin:
        return whole
    crop = around((whole > 0).any(1).float(), margin=max(config.margin, 1.0))
    return avg_pool2d(crop.cut(whole, FINER * config.image_size), FINER)


def in_frame(
    config: ListConfig, truth: Mesh, picture: UInt8[np.ndarray, "h w 3"], eye: tuple[float, ...] | None
) -> Mesh:
    """The true surface in the frame in which the network gives shapes.

    Args:
        eye: where the camera was, in the truth's own frame; None: from where the truth has the picture's outline.
    """
    if config.frame == "object":
        return truth
    if eye is None:
        side = picture.shape[1]
        lens = np.array([[FOCAL * side, 0, side / 2], [0, FOCAL * side, picture.shape[0] / 2], [0, 0, 1]])
        fit = MaskFit(truth, picture.max(-1) > 0, lens)
        likely = sorted(orbit_rotations(), key=fit.overlap)[-LIKELY:]
        rotation = max((fit.best([each], turn=0.15) for each in likely), key=fit.overlap)
        eye = tuple((-rotation.T @ fit.place(rotation)).tolist())
    pose = torch.eye(4, dtype=torch.float64)[None]
    pose[0, :3, 3] = torch.tensor(eye, dtype=torch.float64)
    vertices = torch.from_numpy(np.asarray(truth.vertices, np.float64))[None]
    frame = turned_to(pose, vertices, config.network.half_side)
    return Mesh(frame.into(vertices)[0].numpy(), truth.faces)


def predicted_surface(net: ListNet, seen: Float[torch.Tensor, "1 3 h w"], options: ListEvaluation) -> Mesh | None:
    """The surface that a picture gives, in the unit box; None where there is none."""
    network = net.config.network
    nodes = options.nodes or network.volume_nodes
    with torch.no_grad():
        device = device_of(net)
        distance = hosted(FastDistances(net, net.encode(seen.to(device))), device)
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
