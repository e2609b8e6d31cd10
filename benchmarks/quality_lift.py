"""Shape quality on the frozen validation list: lift, inflate and the nearest training mesh, in one run.

    python benchmarks/quality_lift.py PACK --weights WEIGHTS --out quality.json [--views 3] [--objects 60]

PACK is made by `monoform prepare meshes`. Protocol (docs/evaluation.md): each method gets the packed view with its
mask; meshes are compared in the camera's frame, aligned by a similarity found by iterative closest points from the
identity, normalised by the true mesh's unit sphere, 10,000 points each. Intervals are 95 percent paired bootstraps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from monoform import InputError, Mesh, Photo, View
from monoform.camera import Camera
from monoform.data.alignment import similarity
from monoform.data.dataset import PackedObjects
from monoform.data.splits import excluded_names, validation_names
from monoform.mesh import extract, largest
from monoform.mesh.sample import sample_surface
from monoform.methods import Reconstructor
from monoform.methods.inflate import Inflate
from monoform.methods.lift import Lift, LiftOptions
from monoform.metrics import chamfer, f_score

POINTS = 10_000
ROUNDS = 30
RESOLUTION = 96
METHODS = ("lift", "inflate", "nearest")
Shape = Callable[[int, int], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--objects", type=int, default=60)
    asked = parser.parse_args()
    held = PackedObjects(asked.pack, validation_names()[: asked.objects])
    training = PackedObjects(asked.pack, exclude=[*validation_names(), *excluded_names()])
    methods = {
        "lift": by_method(held, Lift(LiftOptions(weights=asked.weights))),
        "inflate": by_method(held, Inflate()),
        "nearest": by_retrieval(held, training),
    }
    rows = []
    for index, name in enumerate(held.names):
        truth = held.labels(index)["surface_points"].numpy().astype(np.float64)
        for view in range(asked.views):
            reference = in_camera(truth, held.views(index, view).camera)
            row = {"object": name, "view": view, "scan": name.startswith(("gso_", "ycb_"))}
            row |= {method: scores(shape(index, view), reference) for method, shape in methods.items()}
            rows.append(row)
        print(f"{index + 1}/{len(held)} {name}: {rows[-1]['lift']['f_0.05']:.3f}", flush=True)
    asked.out.write_text(json.dumps(rows, indent=1))
    report(rows)


def in_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points in the camera's frame."""
    pose = camera.camera_from_world[0].double().numpy()
    return points @ pose[:3, :3].T + pose[:3, 3]


def by_method(held: PackedObjects, reconstructor: Reconstructor) -> Shape:
    """Surface points, in the camera's frame, of a method's answer to a packed view."""

    def shape(index: int, view: int) -> np.ndarray:
        packed = held.views(index, view)
        photo = Photo.open(packed.image[..., :3].copy(), mask=packed.image[..., 3].copy())
        known = Camera(torch.eye(4)[None], packed.camera.intrinsics, packed.camera.width, packed.camera.height)
        try:
            found = reconstructor.reconstruct([View(photo, known)], generator=torch.Generator().manual_seed(0))
            mesh: Mesh = largest(extract(found.field, resolution=RESOLUTION), n=found.parts)
        except InputError:
            return np.zeros((1, 3))
        return in_camera(sample_surface(mesh, POINTS, seed=0)[0], found.camera)

    return shape


def by_retrieval(held: PackedObjects, training: PackedObjects) -> Shape:
    """Surface points of the training object whose view looks most like the given one, in that view's camera."""
    features, places = [], []
    for index in range(len(training)):
        for view in range(training.view_count):
            features.append(image_feature(training.views(index, view).image))
            places.append((index, view))
    tree = cKDTree(np.stack(features))

    def shape(index: int, view: int) -> np.ndarray:
        found, other = places[int(tree.query(image_feature(held.views(index, view).image))[1])]
        points = training.labels(found)["surface_points"].numpy().astype(np.float64)
        return in_camera(points, training.views(found, other).camera)

    return shape


def image_feature(image: np.ndarray) -> np.ndarray:
    """The object's square, 16 x 16: coverage, and colour at a third of its weight."""
    rows, columns = np.flatnonzero(image[..., 3].any(1)), np.flatnonzero(image[..., 3].any(0))
    square = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    side = max(square.shape[:2])
    padded = np.zeros((side, side, 4), np.float32)
    top, left = (side - square.shape[0]) // 2, (side - square.shape[1]) // 2
    padded[top : top + square.shape[0], left : left + square.shape[1]] = square
    small = torch.nn.functional.interpolate(torch.from_numpy(padded).permute(2, 0, 1)[None], (16, 16), mode="area")[0]
    return torch.cat(((small[:3] * small[3:]).flatten() / 3, small[3].flatten())).numpy()


def scores(points: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """F-scores and Chamfer-L1 after alignment, in a frame where the reference has radius 1."""
    if len(points) < POINTS:
        points = points[np.random.default_rng(0).integers(len(points), size=POINTS)]
    reference = reference[:POINTS]
    centre = 0.5 * (reference.min(0) + reference.max(0))
    radius = np.linalg.norm(reference - centre, axis=1).max()
    fixed = (reference - centre) / radius
    moved = aligned(points, fixed)
    return {
        "f_0.05": f_score(moved, fixed, 0.05),
        "f_0.1": f_score(moved, fixed, 0.1),
        "chamfer": chamfer(moved, fixed),
    }


def aligned(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Points after the similarity found by iterative closest points from the identity, centres and sizes matched."""
    size = np.sqrt(
        ((reference - reference.mean(0)) ** 2).sum(1).mean() / ((points - points.mean(0)) ** 2).sum(1).mean()
    )
    moved = (points - points.mean(0)) * size + reference.mean(0)
    step = max(1, len(points) // 2000)
    tree, some = cKDTree(reference), reference[::step]
    for _ in range(ROUNDS):
        there, back = tree.query(moved[::step])[1], cKDTree(moved).query(some)[1]
        scale, turn, shift = similarity(np.r_[moved[::step], moved[back]], np.r_[reference[there], some])
        moved = scale * moved @ turn.T + shift
    return moved


def report(rows: list[dict]) -> None:
    """Means of all and of scans, and lift's ratio to each baseline with its interval."""
    for title, chosen in (("all", rows), ("scans", [row for row in rows if row["scan"]])):
        print(f"\n{title} ({len(chosen)} views)")
        for method in METHODS if chosen else ():
            means = {key: np.mean([row[method][key] for row in chosen]) for key in chosen[0][method]}
            print(f"  {method:8}" + "".join(f"  {key} {value:.4f}" for key, value in means.items()))
    for other in METHODS[1:]:
        ratio, low, high = bootstrap(rows, other)
        print(f"lift / {other}: F@0.05 ratio {ratio:.3f}, 95 percent {low:.3f} to {high:.3f}")


def bootstrap(rows: list[dict], other: str, draws: int = 2000) -> tuple[float, float, float]:
    """Ratio of mean F@0.05 and its 95 percent interval, objects drawn with replacement."""
    names = sorted({row["object"] for row in rows})
    ours, theirs = (
        np.array([np.mean([row[m]["f_0.05"] for row in rows if row["object"] == name]) for name in names])
        for m in ("lift", other)
    )
    picks = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    ratios = ours[picks].mean(1) / theirs[picks].mean(1)
    return float(ours.mean() / theirs.mean()), *(float(v) for v in np.percentile(ratios, (2.5, 97.5)))


if __name__ == "__main__":
    main()
