"""How well, how fast and how honestly poses are found in a trained scene.

    python benchmarks/pose.py SCENE -o OUT [--others PHOTO ...] [--adam-runs 4] [--only near far search flag adam]

SCENE is a folder of `monoform train scene` whose photos are where they were. Everything is seeded. Written are
OUT/pose.json with every run, OUT/pose.md and OUT/success.png.

- near: the held-out photos x 5 starts, turned by at most 20 degrees about the world's origin and shifted by at most a
  tenth of the camera's distance.
- adam: the paper's optimizer from the first few of these starts, on the same field; time until 2 degrees.
- far: 40 degrees; search: no start at all.
- flag: photos in which there is no right answer (--others, black, mirrored, focal length wrong by 1.4): whether
  they are doubted; --kinds takes some of them, --flag-photos so many photos of each.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from monoform.jobs.estimate_pose import PoseOptions, estimate_pose, pose_errors
from monoform.jobs.estimate_pose_protocol import (
    Protocol,
    Run,
    chosen_views,
    run_of,
    starts_of,
    success_picture,
    summary_of_runs,
    table_of,
)
from monoform.jobs.evaluate_poses import Poses
from monoform.jobs.pose_scenes import PoseTarget, open_scene
from monoform.methods.inerf import InerfOptions, PhotometricAdam
from monoform.progress import one_by_one, shown
from monoform.scene import Photo
from monoform.scene.result_files import write_json

NEAR = Protocol(photos=8, starts=5, angle=20.0, offset=0.1, relative=True)
FAR = replace(NEAR, angle=40.0, offset=0.2, starts=2)
SEARCH = replace(NEAR, search=True)
FOCAL = 1.4


def adam_runs(scene: PoseTarget, count: int, steps: int, rays: int) -> list[Run]:
    """The paper's optimizer from the first start of each of so many photos."""
    options = PoseOptions(method=InerfOptions(optimizer="adam", descent=PhotometricAdam(steps=steps, rays=rays)))
    runs = []
    for number, view in enumerate(chosen_views(scene, NEAR)[:count]):
        start = starts_of(view, scene, NEAR, number)[0]
        found = estimate_pose(str(view.image), scene, replace(options, start=start), truth=view.camera)
        runs.append(run_of(view, start, found, scene))
        print(f"  adam {view.image.name}: {runs[-1].start} to {runs[-1].end} in {runs[-1].seconds:.1f} s", flush=True)
    return runs


def doubted(scene: PoseTarget, others: list[Path], photos: int, kinds: list[str]) -> list[dict]:
    """Photos without a right answer: what was said of each, and what without the scene's own photos."""
    views, plain = chosen_views(scene, replace(NEAR, photos=photos)), replace(scene, errors=None)
    cases = []
    for number, view in enumerate(views):
        photo = Photo.open(view.image)
        start = starts_of(view, scene, NEAR, number)[0]
        black, mirrored = photo.rgba.copy(), np.ascontiguousarray(photo.rgba[:, ::-1])
        black[..., :3] = 0.0
        cases.append(("black", view, replace(photo, rgba=black), start))
        cases.append(("mirrored", view, replace(photo, rgba=mirrored), start))
        for factor in (FOCAL, 1 / FOCAL):
            intrinsics = start.intrinsics.clone()
            intrinsics[:, [0, 1], [0, 1]] *= factor
            cases.append((f"focal x {factor:.2f}", view, photo, replace(start, intrinsics=intrinsics)))
    for number, path in enumerate(others):
        view = views[number % len(views)]
        photo = Photo.open(path)
        start = starts_of(view, scene, NEAR, number)[1]
        cases.append(("another object", view, photo, start.resized(photo.width, photo.height)))
    rows = []
    for kind, view, photo, start in cases:
        if kind.split()[0] not in kinds:
            continue
        found = estimate_pose(photo, plain, PoseOptions(start=start))
        without = found.estimate.converged
        if scene.errors is not None:
            found = replace(found, estimate=scene.errors.judged(found.estimate))
        error = pose_errors(found.estimate.camera.world_from_camera, view.camera, scene.scene_bounds.center)
        right = kind.startswith("focal") and error["rotation_degrees"] < 2 and error["translation_share"] < 0.02
        rows.append(
            {
                "kind": kind,
                "photo": photo.name,
                "right": right,
                "believed": found.estimate.converged,
                "believed_without": without,
                "doubts": list(found.estimate.failure_reasons),
                "evidence": found.estimate.details,
                "error": error,
            }
        )
        told = ["believed" if each else "doubted" for each in (found.estimate.converged, without)]
        print(f"  {kind} {photo.name}: {told[0]} (without the scene's own photos {told[1]})", flush=True)
    return rows


def flag_scores(runs: list[Run], rows: list[dict]) -> dict[str, float]:
    """Precision and recall of "did not converge" over poses that are wrong, and over photos without an answer."""
    wrong = [not run.within(2.0, 0.02) for run in runs] + [not row["right"] for row in rows]
    flagged = [not run.converged for run in runs] + [not row["believed"] for row in rows]
    both = sum(w and f for w, f in zip(wrong, flagged, strict=True))
    return {
        "cases": float(len(wrong)),
        "wrong": float(sum(wrong)),
        "flagged": float(sum(flagged)),
        "precision": both / max(sum(flagged), 1),
        "recall": both / max(sum(wrong), 1),
        "wrong_and_believed": float(sum(wrong) - both),
    }


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    parser.add_argument("--adam-runs", type=int, default=4)
    parser.add_argument("--adam-steps", type=int, default=300)
    parser.add_argument("--adam-rays", type=int, default=2048)
    parser.add_argument("--only", nargs="*", default=["near", "adam", "far", "search", "flag"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flag-photos", type=int, default=8)
    parser.add_argument("--kinds", nargs="*", default=["black", "mirrored", "focal", "another"])
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    scene, began = open_scene(asked.scene), time.time()
    results: dict[str, list[Run]] = {}
    for name, protocol in (("near", NEAR), ("far", FAR), ("search", SEARCH)):
        if name in asked.only:
            poses = Poses(scene, protocol, {name: PoseOptions()})
            results[name] = [poses.run(number) for number in one_by_one(range(len(poses.names)), name, unit="run")]
            print(f"{name}: {summary_of_runs(results[name])}", flush=True)
    if "adam" in asked.only:
        results["adam"] = adam_runs(scene, asked.adam_runs, asked.adam_steps, asked.adam_rays)
    rows = doubted(scene, asked.others, asked.flag_photos, asked.kinds) if "flag" in asked.only else []
    summary = {name: summary_of_runs(runs) for name, runs in results.items()}
    ours = [run for name, runs in results.items() if name != "adam" for run in runs]
    flag = flag_scores(ours, rows)
    asked.out.mkdir(parents=True, exist_ok=True)
    content = {
        "scene": str(asked.scene),
        "threads": asked.threads,
        "summary": _finite(summary),
        "flag": flag,
        "mismatched": rows,
        "runs": {name: [_finite(run.row()) for run in runs] for name, runs in results.items()},
        "seconds": time.time() - began,
    }
    if "adam" in results and "near" in results:
        pairs = [(run, results["near"][NEAR.starts * number]) for number, run in enumerate(results["adam"])]
        content["times_to_2_degrees"] = _finite([[a.seconds_to(2.0), b.seconds_to(2.0)] for a, b in pairs])
    write_json(asked.out / "pose.json", content)
    text = (table_of(summary) if summary else "") + "\n" + table_of({"did not converge": flag})
    (asked.out / "pose.md").write_text(text, encoding="utf-8")
    if results:
        from PIL import Image

        Image.fromarray(success_picture(results)).save(asked.out / "success.png")
    print(text)


def _finite(value):
    """The same with None for what is not finite."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    with shown():
        main()
