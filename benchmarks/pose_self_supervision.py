"""What a scene gains by photos whose poses were found in it (Yen-Chen et al. 2021, self-supervision).

    python benchmarks/pose_self_supervision.py CAPTURE -o OUT [--few 10] [--more 20] [--steps 400] [--set NAME=VALUE]

A scene is trained on a few of the capture's training photos. Further ones are found in it, each from a start up to 20
degrees and a tenth of the distance off, and those whose pose can be believed are added, as `monoform pose --add-to`
does. Trained on all of these, with as many steps, the scene is judged again by the held-out photos; and once more with
the true poses of the same photos, which is as much as there is to be gained. Written is OUT/gain.json; what is there
is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from monoform.cli.settings import parse_settings
from monoform.data.capture import CaptureView, open_capture
from monoform.jobs.estimate_pose import PoseOptions, estimate_pose
from monoform.jobs.estimate_pose_capture import write_extended_capture
from monoform.jobs.estimate_pose_protocol import Protocol, starts_of
from monoform.jobs.pose_scenes import PoseTarget, open_scene
from monoform.methods.nerf.config import SceneTraining
from monoform.methods.nerf.train import train_scene
from monoform.progress import one_by_one, shown
from monoform.scene.result_files import read_json, write_json

NEAR = Protocol(starts=1, angle=20.0, offset=0.1, relative=True)


def trained(capture: Path, out: Path, steps: int, settings: SceneTraining) -> dict[str, float]:
    """Scores of the held-out photos of a scene that is trained on a capture, or was."""
    scores = out / "weights" / "held_out.json"
    if not scores.is_file():
        train_scene(capture, out, settings.loop(steps=steps, seed=0), settings)
    return read_json(scores)["mean"]


def found(scene: PoseTarget, view: CaptureView, number: int) -> dict:
    """A photo's pose from a near start, as plain values."""
    start = starts_of(view, scene, NEAR, number)[0]
    pose = estimate_pose(str(view.image), scene, PoseOptions(start=start), truth=view.camera)
    camera = pose.estimate.camera.world_from_camera[0].tolist()
    return {"believed": pose.estimate.converged, "pose": camera, "errors": dict(pose.errors)}


def spread(views: list[CaptureView], count: int) -> list[CaptureView]:
    """So many, evenly spread."""
    return [views[round(index)] for index in np.linspace(0, len(views) - 1, min(count, len(views)))]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--more", type=int, default=20)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--set", nargs="*", default=["mesh=0", "film=0"])
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    settings = replace(SceneTraining(), **parse_settings(SceneTraining, asked.set, "scene"))
    capture = open_capture(asked.capture)
    train, held = capture.of_split("train"), capture.of_split("test")
    few = spread(train, asked.few)
    more = spread([view for view in train if view not in few], asked.more)
    base = PoseTarget(lambda *_: None, None, False, None, "capture", views=(*few, *held))
    for name in ("few", "found", "true"):
        (asked.out / name).mkdir(parents=True, exist_ok=True)
    write_extended_capture(asked.out / "few", base, [])
    scores = {"few": trained(asked.out / "few", asked.out / "scene_few", asked.steps, settings)}
    scene, kept = open_scene(asked.out / "scene_few"), asked.out / "poses.json"
    poses = read_json(kept)["poses"] if kept.is_file() else []
    for number in one_by_one(range(len(poses), len(more)), "finding cameras", unit="photo"):
        poses.append(found(scene, more[number], number))
        write_json(kept, {"poses": poses})
    believed = [(view, pose) for view, pose in zip(more, poses, strict=True) if pose["believed"]]
    for name, placed in (
        ("found", [(v.image, replace(v.camera, world_from_camera=torch.tensor([p["pose"]]))) for v, p in believed]),
        ("true", [(v.image, v.camera) for v, _ in believed]),
    ):
        write_extended_capture(asked.out / name, base, placed)
        scores[name] = trained(asked.out / name, asked.out / f"scene_{name}", asked.steps, settings)
    errors = {
        name: float(np.median([pose["errors"][name] for _, pose in believed])) if believed else None
        for name in ("rotation_degrees", "translation_share")
    }
    content = {"few": len(few), "more": len(more), "believed": len(believed), "median_errors": errors, "scores": scores}
    write_json(asked.out / "gain.json", content)
    print(f"{len(few)} photos, {len(believed)} of {len(more)} added, median errors {errors}")
    for name, mean in scores.items():
        print(f"{name:6}" + ", ".join(f"{key} {value:.3f}" for key, value in mean.items()))


if __name__ == "__main__":
    with shown():
        main()
