"""Shape on the frozen validation list: LIST, its first stage alone and the nearest training mesh, in one run.

    python benchmarks/quality_list.py MESHES PACK --weights RUN/weights --first RUN/first_stage/weights \\
        --out list.json --cache CACHE --workers 2

MESHES is a folder of meshes with its index.csv, PACK what `monoform prepare meshes` made of it (for retrieval). The
protocol stands in docs/evaluation.md. The first stage gives points only: they are laid out on a grid, closed, and what
cannot be reached from outside counts as inside.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from quality.answers import Retrieval, picture_features, retrievable
from quality.run import all_rows, write

from monoform import Mesh, Photo
from monoform.camera import Camera
from monoform.data import Source, mesh_sources, validation_names
from monoform.inversion.silhouette_pose import MaskFit, looking
from monoform.mesh import sample_surface
from monoform.mesh.sdf_grid import GridValues, surface_of
from monoform.mesh.topology import volume
from monoform.methods.answers import Answer, Answerer, answers_of, inside_of
from monoform.methods.lift.compared import comparison, markdown
from monoform.methods.list import List, ListOptions
from monoform.methods.list.config import ListConfig
from monoform.methods.list.infer import picture_of
from monoform.methods.list.model import CoarseNet, build
from monoform.methods.list.packed import windows_of
from monoform.methods.list.volume import occupancy
from monoform.metrics.shape_truth import SURFACE_POINTS, Truth
from monoform.training import load_pretrained

NODES = 32  # of the grid on which the first stage's cloud is closed
LIST, FIRST, NEAREST = "list", "first stage", "nearest"


@dataclass(frozen=True)
class Settings:
    """What is run: picklable, so that every worker builds its own methods."""

    meshes: Path
    pack: Path
    cache: Path
    weights: str
    first: str | None
    views: int
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all that is compared."""
        return (LIST, *((FIRST,) if self.first else ()), NEAREST)

    def answerers(self, sources: dict[str, Source]) -> dict[str, Answerer]:
        """The methods by their labels."""
        found: dict[str, Answerer] = {LIST: answers_of(List(ListOptions(weights=self.weights)))}
        if self.first:
            found[FIRST] = Cloud(self.first)
        return found | {NEAREST: Retrieval(self.pack, list(sources.values()), self.cache)}


class Cloud:
    """The first stage's answer: its points, closed to a solid; its camera is found by the mask."""

    def __init__(self, weights: str) -> None:
        net, _ = load_pretrained(build, ListConfig, weights)
        if not isinstance(net, CoarseNet):
            raise SystemExit(f"{weights} is no first stage.")
        self.net = net

    def __call__(self, truth: Truth, view: int) -> Answer | None:
        """The closed cloud as an answer."""
        start = time.perf_counter()
        image, known = truth.images[view], truth.camera(view)
        photo = Photo.open(image[..., :3].copy(), mask=image[..., 3].copy())
        assert photo.mask is not None
        window = windows_of(torch.from_numpy(photo.mask)[None], self.net.config.margin)[0].numpy().astype(np.float64)
        with torch.no_grad():
            cloud = self.net(picture_of(photo, window, self.net.config.image_size))
        mesh = closed_cloud(cloud)
        if mesh is None:
            return None
        fit = MaskFit(mesh, photo.mask > 0.5, known.intrinsics[0].numpy().astype(np.float64))
        rotation = fit.best([looking(0.0, height) for height in (0.0, 0.2, 0.4)], turn=0.15)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ fit.place(rotation)
        camera = Camera(torch.from_numpy(pose)[None].float(), known.intrinsics, known.width, known.height)
        seconds = time.perf_counter() - start
        points = sample_surface(mesh, SURFACE_POINTS, seed=0)[0]
        return Answer(mesh, camera, points, inside_of(mesh), volume(mesh), seconds)


def closed_cloud(cloud: torch.Tensor) -> Mesh | None:
    """The solid that a cloud's nodes enclose; None where there is none."""
    grid = np.pad(occupancy(cloud, NODES)[0].numpy() > 0, 2)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(grid, iterations=2))[2:-2, 2:-2, 2:-2]
    if not closed.any():
        return None
    smooth = ndimage.gaussian_filter(closed.astype(np.float32), 0.7)
    return surface_of(GridValues(0.5 - smooth, 0.5, 0))


def main() -> None:
    asked = arguments()
    asked.cache.mkdir(parents=True, exist_ok=True)
    settings = Settings(asked.meshes, asked.pack, asked.cache, asked.weights, asked.first, asked.views, asked.seed)
    picture_features(retrievable(asked.pack, mesh_sources(asked.meshes)), asked.cache)
    rows = all_rows(settings, validation_names()[: asked.objects], asked.workers, told="iou")
    pairs = [(label, NEAREST) for label in settings.labels[:-1]]
    result = comparison(rows, settings.labels, pairs)
    plain = {"weights": asked.weights, "first": asked.first, "views": asked.views, "seed": asked.seed}
    write(asked.out, plain, result, rows)
    print(markdown(result))


def arguments() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", required=True, help="folder of a trained LIST")
    parser.add_argument("--first", help="folder of its first stage")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of all figures")
    parser.add_argument("--views", type=int, default=3, help="inputs of each object")
    parser.add_argument("--objects", type=int, default=60, help="how many of the list, from its start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps truths and features")
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
