"""Do more views help? Shape and looks from 1, 2 and 4 photos of each object, with true and with found cameras.

    python benchmarks/several_views.py MESHES -o several_views.json --limit 12 [--method lift] [--found]

Rendered photos of the frozen validation list (docs/evaluation.md), with their masks and focal lengths; F-score at 0.05
of the radius and PSNR of eight unseen sides are those of `monoform evaluate lift`. With --found there are the first
photo and three more from 10, 20 and 40 degrees beside it, whose cameras are sought in the result of the first, as
`reconstruct PHOTO --views FOLDER` does it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monoform import InputError
from monoform.camera import Camera
from monoform.data import Source, load_source, mesh_sources, validation_names
from monoform.jobs.further_photos import posed
from monoform.mesh import sample_surface
from monoform.mesh.topology import volume
from monoform.methods import create
from monoform.methods.answers import FACES, RESOLUTION, TEXTURE, Answer, inside_of
from monoform.methods.lift.scores import scores
from monoform.metrics.pose import rotation_error
from monoform.metrics.shape_truth import SURFACE_POINTS, Truth, prepare_truth
from monoform.render import render_mesh
from monoform.scene import Photo, Reconstruction, View
from monoform.scene.centered import centered

COUNTS = (1, 2, 4)
TURNS = (10, -20, 40)  # degrees
RIGHT = 10.0  # degrees
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
        for label in (1, "found") if asked.found else COUNTS:
            rows.append({"object": source.name, "views": label} | measured(method, source, truth, label))
            print(source.name, label, {key: round(rows[-1][key], 3) for key in SHOWN}, rows[-1]["poses"], flush=True)
    asked.out.write_text(json.dumps(rows, indent=1))
    print(table(rows))


def measured(method: Any, source: Source, truth: Truth, count: int | str) -> dict[str, Any]:
    """Scores of the object from its first photos, or from the first and those beside it."""
    begun, poses = time.perf_counter(), []
    try:
        if isinstance(count, str):
            made, poses = with_found_cameras(method, source, truth)
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


def with_found_cameras(method: Any, source: Source, truth: Truth) -> tuple[Reconstruction, list[dict[str, Any]]]:
    """From the first photo and those beside it whose poses are believed; and all poses' errors."""
    first, mesh = with_true_cameras(method, truth, 1), load_source(source, seed=0)
    cameras = [turned(truth.camera(0), math.radians(degrees)) for degrees in TURNS]
    seen = [render_mesh(mesh, camera) for camera in cameras]
    photos = [Photo.open(each.rgb.astype(np.float32), mask=each.mask.astype(np.float32)) for each in seen]
    found = posed(first, photos, focals=[float(camera.intrinsics[0, 0, 0]) for camera in cameras])
    own, true = first.camera.camera_from_world, truth.camera(0).camera_from_world
    poses = []
    for degrees, each, camera in zip(TURNS, found, cameras, strict=True):
        # The turn from the first camera to this one, which both worlds know.
        error = rotation_error(own @ each.camera.world_from_camera, true @ camera.world_from_camera)
        told = {"turned": degrees, "error": round(math.degrees(float(error)), 1), "believed": each.believed}
        poses.append(told | {"doubts": list(each.doubts)})
    views = [View(each.photo, each.camera) for each in found if each.believed]
    if not views:
        return first, poses
    views.insert(0, View(first.photo, first.camera))
    with torch.inference_mode():
        return method.reconstruct(views, generator=torch.Generator().manual_seed(0)), poses


def turned(camera: Camera, angle: float) -> Camera:
    """A camera on its way around the object's upright axis."""
    turn = torch.eye(4)
    turn[0, 0] = turn[2, 2] = math.cos(angle)
    turn[0, 2], turn[2, 0] = math.sin(angle), -math.sin(angle)
    return replace(camera, world_from_camera=(turn @ camera.world_from_camera[0])[None])


def table(rows: list[dict[str, Any]]) -> str:
    """Means for each number of views, and what became of the poses for each turn."""
    lines = ["| views | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for label in dict.fromkeys(row["views"] for row in rows):
        those = [row for row in rows if row["views"] == label]
        lines.append(
            f"| {label} | " + " | ".join(f"{np.mean([row[name] for row in those]):.3f}" for name in SHOWN) + " |"
        )
    poses = [pose for row in rows for pose in row["poses"]]
    for degrees in TURNS if poses else ():
        those = [pose for pose in poses if pose["turned"] == degrees]
        believed = [pose for pose in those if pose["believed"]]
        right, good = (sum(pose["error"] < RIGHT for pose in among) for among in (those, believed))
        told = f"turned {degrees} degrees: {right} of {len(those)} found within {RIGHT:g} degrees; "
        lines.append(f"{told}{len(believed)} believed, {good} of them right")
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
