"""Evaluation of LIST as its release measures: surfaces of test pictures, by category (Arshad and Beksi 2023)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from jaxtyping import UInt8

from ...data.sdf.disn import DisnObjects
from ...data.sdf.pix3d import SIDE, Pix3dObjects
from ...data.sdf.renderings import Variation
from ...data.sdf.truths import truth_of
from ...devices import device_named, device_of
from ...errors import InputError
from ...inputs.several import Words, view_numbers
from ...mesh import Mesh, sample_surface, write_points
from ...metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ...metrics.table import as_csv
from ...outputs import atomic_file
from ...ranges import LARGEST_SEED, require_range
from ...training.weights import load_pretrained, weights_digest
from .config import ListConfig
from .infer import SHIPPED
from .model import CoarseNet, ListNet, build
from .predictions import Eye, framed, predicted_surface, seen_by
from .protocols import disn_metrics, occnet_metrics, split_metrics
from .published_points import published_point_metrics
from .side_by_side import write_side_by_side
from .surface_metrics import surface_metrics

DROPPED = ("completeness2", "accuracy2")
OTHERS = ("disn_", "occnet_", "visible_", "occluded_")
PROTOCOLS = ("list", "disn", "occnet", "visible")
TURNED = (
    "These weights turn shapes towards the camera; the truths are turned likewise, by the camera of the record where "
    "it has one, else by the one from which they have the picture's outline.\n\n"
)


@dataclass(frozen=True, kw_only=True)
class ListEvaluation(EvaluationOptions):
    """Reconstruct the test pictures of a data set and measure the surfaces as LIST's release does.

    Writes OUT/CATEGORY/OBJECT/pred.obj (NN_pred.obj of several views; of a first stage the cloud, pred.ply),
    CATEGORY.csv, metrics.json, metrics.md, metrics.csv, and protocols.md and protocols.csv, other protocols beside
    LIST's. Interrupted, the same line goes on.
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
    views: Annotated[Words, tyro.conf.arg(aliases=["--view"])] = ("0",)
    """Views of each object (ShapeNet): numbers and ranges, as in '0 24-35'; all; or random, one of each object's."""
    variation: Variation = "easy"
    """Which of ShapeNet's two sets of pictures: in the hard one objects are moved off the middle."""
    first: int = 0
    """Number of the first object that is measured, in their order."""
    limit: int = 0
    """At most so many objects; 0 for all."""
    image_size: int = 0
    """Side to which pictures are brought, in pixels; 0 takes the network's own."""
    flip: bool = False
    """Take the mean of what the network gives of a picture and of its mirror image."""
    nodes: int = 0
    """Of the grid along an axis; 0 takes those of the network's occupancy grid (128 as published)."""
    dense: bool = False
    """Ask the network at every node instead of coarse to fine."""
    published: bool = False
    """Place vertices as the original does, and leave surfaces open where the box cuts them."""
    protocols: Words = PROTOCOLS
    """Whose measures are taken: list, disn, occnet; visible: what the camera sees apart from the rest, where the
    data tell where it was."""
    points: int = 100_000
    """Drawn on each surface."""
    inside_points: int = 1_000_000
    """In the box, for the IoU."""
    emd_points: int = 1024
    """Matched one to one for the earth mover's distance, twice as many for DISN's; 0 for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("first", "limit", "nodes", "emd_points"):
            require_range(f"--{name.replace('_', '-')}", getattr(self, name), 0, LARGEST_SEED)
        for name in ("points", "inside_points"):
            require_range(f"--{name.replace('_', '-')}", getattr(self, name), 1, LARGEST_SEED)
        if self.nodes:
            require_range("--nodes, where it is not 0 for the network's own,", self.nodes, 2, 2048)
        if self.image_size:
            require_range("--image-size", self.image_size, 16, 2048)
        for word in self.protocols:
            if word not in PROTOCOLS:
                raise InputError(f"--protocols has {word!r}; choose of {', '.join(PROTOCOLS)}.")
        if self.views not in (("all",), ("random",)):
            try:
                chosen = view_numbers(self.views)
            except InputError as error:
                raise InputError(f"--views {error}") from error
            if not chosen or min(chosen) < 0:
                raise InputError(f"--views is {' '.join(self.views)!r}; give view numbers, all, or random.")


class Surfaces(Protocol):
    """The surface of each test picture against the true one, in the frame in which the network gives shapes.

    A first stage is measured by its cloud alone, against as many points of the truth. Several views of an object count
    as one object, by their mean.

    Args:
        net: the network.
        objects: a split of a data set.
        weights: SHA-256 of the network's file.
    """

    doing, files = "measuring surfaces", r"(\d+_)?pred\.(obj|ply)"

    def __init__(
        self,
        net: CoarseNet | ListNet,
        objects: DisnObjects | Pix3dObjects,
        options: ListEvaluation,
        weights: str = "",
    ) -> None:
        self.net, self.objects, self.options, self.weights = net, objects, options, weights
        config = net.config
        self.config = replace(config, image_size=options.image_size or config.image_size)
        self.names = objects.names[options.first : options.first + options.limit if options.limit else None]
        self.skipped = tuple(objects.missing)
        if not self.names:
            raise InputError(f"--first is {options.first}; there are {len(objects)} objects.")

    @classmethod
    def open(cls, asked: ListEvaluation) -> Surfaces:
        """The protocol that is asked for.

        Raises:
            InputError: weights or data cannot be used.
        """
        chosen = asked.categories or None
        folder = asked.weights or str(SHIPPED.folder)
        net, config = load_pretrained(build, ListConfig, folder, device=device_named(asked.device))
        objects: DisnObjects | Pix3dObjects
        # A network that cuts the object out of its picture takes that as it is.
        side = 0 if config.margin else asked.image_size or config.image_size
        if (asked.data / "data" / "pix3d.json").is_file():
            objects = Pix3dObjects(asked.data, asked.split, categories=chosen, side=side or SIDE)
        else:
            objects = DisnObjects(
                asked.data, asked.split, categories=chosen, cloud=False, variation=asked.variation, side=side
            )
        return cls(net, objects, asked, weights_digest(folder))

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Write the surfaces, pred.obj, or clouds, pred.ply, and measure them; the means over views, and those of each.

        Raises:
            InputError: a picture or the truth is missing.
        """
        index = self.options.first + number
        truth, views = truth_of(self.objects, index), self._views(index)
        alone = len(views) == 1 and self.options.views != ("random",)
        images = []
        for view in views:
            name = "pred.obj" if alone else f"{view:02d}_pred.obj"
            images.append({"view": view, **self._measured(index, view, truth, folder / name)})
        names = dict.fromkeys(name for image in images for name in image if name != "view")
        means = {name: float(np.mean([each[name] for each in images if name in each])) for name in names}
        return means | {"images": images}

    def scores(self, content: Mapping[str, Any]) -> Mapping[str, float]:
        """LIST's own measures; those of other protocols have a table of their own."""
        own = {name: value for name, value in content.items() if name != "images" and not name.startswith(OTHERS)}
        return super().scores(own)

    def _views(self, index: int) -> list[int]:
        """The views of an object that are measured."""
        if isinstance(self.objects, Pix3dObjects):
            return [0]
        known, words = self.objects.objects[index].views, self.options.views
        if words == ("all",):
            return list(known)
        if words == ("random",):
            seed = [self.options.seed, zlib.crc32(self.objects.names[index].encode())]
            return [known[int(np.random.default_rng(seed).integers(len(known)))]]
        chosen = list(dict.fromkeys(view_numbers(words)))
        for view in chosen:  # refused before any is measured
            self.objects.objects[index].file(view)
        return chosen

    def _picture(self, index: int, view: int, truth: Mesh) -> tuple[UInt8[np.ndarray, "h w 3"], Eye | None]:
        """A picture, and where its camera was in the frame of the truth, where that is known."""
        objects = self.objects
        if isinstance(objects, Pix3dObjects):
            return objects.picture(index), objects.photos[index].eye
        picture = objects.picture(index, view)
        eye = objects.eye(index, view)
        diagonal = float(np.linalg.norm(np.ptp(truth.vertices, axis=0)))  # it was 1 where it was rendered
        return picture, None if eye is None else tuple(diagonal * each for each in eye)

    def _measured(self, index: int, view: int, truth: Mesh, file: Path) -> dict[str, float]:
        net, options = self.net, self.options
        picture, eye = self._picture(index, view, truth)
        truth, eye = framed(self.config, truth, picture, eye)
        seen = seen_by(self.config, picture)
        if isinstance(net, CoarseNet):
            with torch.no_grad():
                cloud = net(seen.to(device_of(net)))[0].cpu().numpy().astype(np.float64)
            write_points(cloud, file.with_suffix(".ply"))
            reference = sample_surface(truth, len(cloud), seed=options.seed)[0]
            found = published_point_metrics(cloud, reference)
        else:
            how = {name: getattr(options, name) for name in ("nodes", "dense", "published", "flip")}
            mesh = predicted_surface(net, seen, **how)
            if mesh is not None:
                mesh.export(file)
            found = self._of_surface(mesh, truth, eye)
        return {name: value for name, value in found.items() if name not in DROPPED}

    def _of_surface(self, mesh: Mesh | None, truth: Mesh, eye: Eye | None) -> dict[str, float]:
        options, found = self.options, dict[str, float]()
        if "list" in options.protocols:
            counts = {name: getattr(options, name) for name in ("points", "inside_points", "emd_points", "seed")}
            found |= surface_metrics(mesh, truth, **counts)
        if "disn" in options.protocols:
            found |= disn_metrics(mesh, truth, emd_points=2 * options.emd_points, seed=options.seed)
        if "occnet" in options.protocols:
            found |= occnet_metrics(mesh, truth, points=min(options.points, 100_000), seed=options.seed)
        if "visible" in options.protocols and eye is not None:
            found |= split_metrics(mesh, truth, eye, points=min(options.points, 20_000), seed=options.seed)
        return found

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """CATEGORY.csv as the original writes them: one line a picture, and their mean; the protocols side by side."""
        for category in sorted({name.split("/")[0] for name in contents}):
            own: dict[str, Mapping[str, float]] = {}
            for name, each in contents.items():
                if name.split("/")[0] == category:
                    own |= _lines(name.split("/", 1)[1], each["images"])
            names = list(dict.fromkeys(name for each in own.values() for name in each))
            means = [np.mean([each[name] for each in own.values() if name in each]) for name in names]
            rows = [[object_, *(each.get(name, "") for name in names)] for object_, each in own.items()]
            with atomic_file(out / f"{category}.csv") as file:
                file.write_text(as_csv([["object", *names], *rows, ["mean", *means]]), encoding="utf-8")
        told = write_side_by_side(out, contents) if isinstance(self.net, ListNet) else ""
        return (TURNED if self.config.frame == "upright" else "") + told or None


EVALUATION = Evaluation("surfaces of test pictures, by category", ListEvaluation, partial(evaluate, Surfaces.open))


def _lines(name: str, images: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """LIST's measures of each picture, by the object's name, with the view behind it where it is not the only one."""
    named = len(images) > 1
    return {
        f"{name}_{image['view']:02d}" if named else name: {
            key: value for key, value in image.items() if key != "view" and not key.startswith(OTHERS)
        }
        for image in images
    }
