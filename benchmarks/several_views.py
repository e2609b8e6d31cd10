"""Do more views help? Shape and looks from 1, 2 and 4 photos of each object, with true and with found cameras.

    python benchmarks/several_views.py MESHES -o several_views.json --limit 12 [--method lift] [--found]

Rendered photos of the frozen validation list (docs/evaluation.md), with their masks and focal lengths; F-score at 0.05
of the radius and PSNR of eight unseen sides are those of `monoform evaluate lift`. With --found the cameras of the
further photos are sought in the result of the first, as `reconstruct PHOTO --views FOLDER` does it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monoform import InputError
from monoform.data import mesh_sources, validation_names
from monoform.mesh import sample_surface
from monoform.mesh.topology import volume
from monoform.methods import create
from monoform.methods.answers import FACES, RESOLUTION, TEXTURE, Answer, inside_of
from monoform.methods.lift.scores import scores
from monoform.metrics.pose import rotation_error
from monoform.metrics.shape_truth import SURFACE_POINTS, Truth, prepare_truth
from monoform.scene import Photo, Reconstruction, View
from monoform.scene.centered import centered

COUNTS = (1, 2, 4)
SHOWN = ("f_0.05", "chamfer", "psnr", "ssim", "seconds")


def main() -> None:
    asked = arguments()
    there = {source.name: source for source in mesh_sources(asked.meshes)}
    chosen = [there[name] for name in validation_names() if name in there]
    chosen = [chosen[number * len(chosen) // asked.limit] for number in range(min(asked.limit, len(chosen)))]
    method = create(asked.method)
    rows: list[dict[str, Any]] = []
    for source in chosen:
        truth = prepare_truth(source, views=max(COUNTS), seed=asked.seed)
        for count in COUNTS:
            rows.append({"object": source.name, "views": count} | measured(method, truth, count, asked.found))
            print(source.name, count, {key: round(rows[-1][key], 3) for key in SHOWN}, rows[-1]["poses"], flush=True)
    asked.out.write_text(json.dumps(rows, indent=1))
    print(table(rows))


def measured(method: Any, truth: Truth, count: int, found: bool) -> dict[str, Any]:
    """Scores of the object from its first photos."""
    begun, poses = time.perf_counter(), []
    try:
        if found and count > 1:
            made, poses = with_found_cameras(method, truth, count)
        else:
            made = with_true_cameras(method, truth, count)
        with torch.inference_mode():
            mesh = made.mesh(faces=FACES, texture=TEXTURE, resolution=RESOLUTION)
    except InputError as error:
        print(error)
        return scores(None, truth, 0) | {"failed": 1.0, "poses": poses}
    seconds = time.perf_counter() - begun
    points = sample_surface(mesh, SURFACE_POINTS, seed=0)[0]
    answer = Answer(mesh, made.camera, points, inside_of(mesh), volume(mesh), seconds)
    return scores(answer, truth, 0) | {"failed": 0.0, "poses": poses}


def photo_of(truth: Truth, view: int) -> Photo:
    image = truth.images[view]
    return Photo.open(image[..., :3].copy(), mask=image[..., 3].copy())


def with_true_cameras(method: Any, truth: Truth, count: int) -> Reconstruction:
    views = [View(photo_of(truth, view), truth.camera(view)) for view in range(count)]
    if count == 1:
        views = [View(views[0].photo, replace(truth.camera(0), world_from_camera=torch.eye(4)[None]))]
    with torch.inference_mode():
        return method.reconstruct(centered(views) if count > 1 else views, generator=torch.Generator().manual_seed(0))


def with_found_cameras(method: Any, truth: Truth, count: int) -> tuple[Reconstruction, list[dict[str, Any]]]:
    from monoform.jobs.further_photos import posed

    first = with_true_cameras(method, truth, 1)
    further = [photo_of(truth, view) for view in range(1, count)]
    focals = [float(truth.camera(view).intrinsics[0, 0, 0]) for view in range(1, count)]
    found = posed(first, further, focals=focals, seed=0)
    poses = []
    views = [View(first.views[0].photo, first.camera)]
    own, true = first.camera.world_from_camera[0], truth.camera(0).world_from_camera[0]
    for number, each in enumerate(found, start=1):
        # The turn between the first camera and this one, which both worlds know.
        turned = own.T @ each.camera.world_from_camera[0]
        expected = true.T @ truth.camera(number).world_from_camera[0]
        error = float(rotation_error(turned[None], expected[None])[0])
        poses.append({"degrees": round(float(np.degrees(error)), 1), "believed": each.believed})
        if each.believed:
            views.append(View(each.photo, each.camera))
    if len(views) == 1:
        return first, poses
    with torch.inference_mode():
        return method.reconstruct(views, generator=torch.Generator().manual_seed(0)), poses


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"| views | {' | '.join(SHOWN)} | poses believed | of these within 10 degrees |"]
    lines.append("|---" * (len(SHOWN) + 3) + "|")
    for count in COUNTS:
        those = [row for row in rows if row["views"] == count]
        poses = [pose for row in those for pose in row["poses"]]
        believed = [pose for pose in poses if pose["believed"]]
        right = sum(pose["degrees"] < 10 for pose in believed)
        figures = " | ".join(f"{np.mean([row[name] for row in those]):.3f}" for name in SHOWN)
        lines.append(f"| {count} | {figures} | {len(believed)} of {len(poses)} | {right} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--method", default="lift")
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
