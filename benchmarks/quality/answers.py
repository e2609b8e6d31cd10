"""The training mesh whose picture looks most like the input, as an answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from monoform import Mesh
from monoform.data import PackedObjects, Solid, Source, load_source, training_names
from monoform.methods.answers import Answer
from monoform.metrics.shape_truth import PROBES, SURFACE_POINTS, Truth
from monoform.outputs import atomic_file

FEATURE_SIDE = 16


class Retrieval:
    """The training mesh whose packed picture looks most like the input, seen from that picture's camera."""

    def __init__(self, pack: Path, sources: Sequence[Source], cache: Path) -> None:
        self._sources = {source.name: source for source in sources}
        self._pack = retrievable(pack, sources)
        self._features = picture_features(self._pack, cache)
        self._solid = lru_cache(maxsize=64)(self._made)

    def __call__(self, truth: Truth, view: int) -> Answer:
        """The retrieved mesh as an answer."""
        start = time.perf_counter()
        gaps = self._features - picture_feature(truth.images[view])
        best = int(np.einsum("ij,ij->i", gaps, gaps).argmin())
        index, other = divmod(best, self._pack.view_count)
        mesh, points, solid, size = self._solid(self._pack.names[index])
        seconds = time.perf_counter() - start
        return Answer(mesh, self._pack.views(index, other).camera, points, solid.contains, size, seconds)

    def _made(self, name: str) -> tuple[Mesh, np.ndarray, Solid, float]:
        mesh = load_source(self._sources[name], seed=0)
        solid = Solid(mesh)
        points = solid.surface(SURFACE_POINTS, seed=0).points
        low, high = mesh.bounds
        share = solid.contains(np.random.default_rng(0).uniform(low, high, (PROBES, 3))).mean()
        return mesh, points, solid, float(share * np.prod(high - low))


def retrievable(pack: Path, sources: Sequence[Source]) -> PackedObjects:
    """The pack's objects that may be trained on and have a mesh file; no widened copies."""
    files = {source.name for source in sources if source.path}
    names = training_names(PackedObjects(pack).names)
    return PackedObjects(pack, [name for name in names if name in files])


def picture_features(pack: PackedObjects, cache: Path) -> np.ndarray:
    """Features of all views of all objects, one row each; kept in `cache`."""
    path = cache / f"features-{str(pack.index['request'])[:12]}-{len(pack)}.npy"
    if not path.is_file():
        places = [(index, view) for index in range(len(pack)) for view in range(pack.view_count)]
        rows = np.stack([picture_feature(pack.views(*place).image) for place in places])
        with atomic_file(path) as draft, Path(draft).open("wb") as file:
            np.save(file, rows)
    return np.load(path, mmap_mode="r")


def picture_feature(image: np.ndarray) -> np.ndarray:
    """The object's square, 16 x 16: coverage, and covered colour at a third of its weight."""
    left, top, width, height = cv2.boundingRect(image[..., 3])
    window = image[top : top + height, left : left + width].astype(np.float32) / 255
    window[..., :3] *= window[..., 3:] / 3
    side = max(width, height)
    across, down = (side - width) // 2, (side - height) // 2
    square = cv2.copyMakeBorder(
        window, down, side - height - down, across, side - width - across, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)
    )
    return cv2.resize(square, (FEATURE_SIDE, FEATURE_SIDE), interpolation=cv2.INTER_AREA).ravel()
