"""What the perceptual distance of `monoform evaluate lift` punishes: faults of pictures with the same squared error.

    python benchmarks/perceptual.py MESHES efficientnet-lite0-57934424.pth

Pictures of every sixth mesh of the validation list from three of the protocol's unseen cameras get a fault each, drawn
nearer to the true picture until its mean squared error is 4e-4 (34 dB); milder ones are left out. Printed is the mean
distance, and the number of pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from monoform.data import load_source, mesh_sources, validation_names
from monoform.metrics.feature_distance import FeatureDistance
from monoform.metrics.shape_truth import unseen_cameras
from monoform.render import render_mesh

ERROR = 4e-4
VIEWS, STEP = (0, 2, 4), 6
Fault = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # picture, its mask, another side of the object


def torn(picture: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A band of a fifth of the width, each row with the color of a random place beside it."""
    columns = np.flatnonzero(mask.any(axis=0))
    middle, width = int(columns.mean()), max(4, len(columns) // 10)
    beside = middle - width - np.random.default_rng(0).integers(1, width, len(picture))
    faulty, band = picture.copy(), slice(middle - width, middle + width)
    rows = mask[np.arange(len(picture)), np.maximum(beside, 0)]
    faulty[rows, band] = picture[rows, np.maximum(beside, 0)[rows]][:, None]
    return np.where(mask[..., None], faulty, picture)


def stretched(picture: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Along both sides of the outline an eighth of each row has one color."""
    faulty = picture.copy()
    for row in range(len(picture)):
        inside = np.flatnonzero(mask[row])
        if len(inside) > 8:
            width = max(3, len(inside) // 8)
            left, right = inside[0], inside[-1]
            faulty[row, left : left + width] = picture[row, left + width]
            faulty[row, right - width : right + 1] = picture[row, right - width]
    return np.where(mask[..., None], faulty, picture)


def ghost(picture: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Another side of the object shines through."""
    return np.where(mask[..., None], 0.65 * picture + 0.35 * other[:, ::-1], picture)


def tint(picture: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A warmer light."""
    return np.where(mask[..., None], np.clip(picture * (1.1, 1.0, 0.9), 0, 1), picture)


def brightness(picture: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A steeper tone curve."""
    return np.where(mask[..., None], picture**1.3, picture)


FAULTS: tuple[Fault, ...] = (ghost, torn, stretched, tint, brightness)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("weights", type=Path)
    asked = parser.parse_args()
    distance = FeatureDistance.load(asked.weights)
    there = {source.name: source for source in mesh_sources(asked.meshes)}
    cameras, found = unseen_cameras(), {fault.__name__: [] for fault in FAULTS}
    for name in validation_names()[::STEP]:
        views = [render_mesh(load_source(there[name], seed=0), cameras[index]) for index in VIEWS]
        for number, view in enumerate(views):
            other = views[(number + 2) % len(views)].rgb
            for fault in FAULTS:
                gap = fault(view.rgb, view.mask, other) - view.rgb
                error = float(np.square(gap).mean())
                if error > ERROR:
                    pair = np.stack([view.rgb, view.rgb + gap * np.sqrt(ERROR / error)])
                    maps = distance.features(np.rint(255 * pair).clip(0, 255).astype(np.uint8))
                    apart = distance.between([one[:1] for one in maps], [one[1:] for one in maps])
                    found[fault.__name__].append(float(apart[0]))
    for fault, values in found.items():
        print(f"{fault:12} {distance.name} {np.mean(values):.3f}, {len(values)} pictures")


if __name__ == "__main__":
    main()
