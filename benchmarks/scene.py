"""Train a scene from a capture, and print how long it took and how well it predicts the photos that were held out.

python benchmarks/scene.py CAPTURE --steps 8000 --threads 2 --out OUT [--set NAME=VALUE ...]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from memory import peak_bytes

from monoform.cli.settings import parse_settings
from monoform.methods.nerf import load_scene
from monoform.methods.nerf.config import SceneTraining
from monoform.methods.nerf.train import train_scene
from monoform.training import TrainOptions


def main() -> None:
    """Train, judge, render, and print a table."""
    asked = arguments()
    torch.set_num_threads(asked.threads)
    settings = SceneTraining(**parse_settings(SceneTraining, asked.set, "scene"))
    options = TrainOptions(asked.steps, checkpoint_every=max(1000, asked.steps), prefetch=True, device=asked.device)
    begun, used = time.perf_counter(), time.process_time()
    result = train_scene(asked.data, asked.out, options, settings)
    whole, used = time.perf_counter() - begun, time.process_time() - used
    print(
        f"{result.step} steps in {result.seconds:.0f} s ({1000 * result.seconds / result.step:.0f} ms each), ", end=""
    )
    print(f"{whole:.0f} s with reading, judging, mesh and film; {used:.0f} s of processor time")
    print(f"{peak_bytes() / 1e9:.2f} GB at most")
    print("| what | held-out photos |\n| --- | ---: |")
    scores = asked.out / "weights" / "held_out.json"
    if scores.is_file():
        for name, value in json.loads(scores.read_text())["mean"].items():
            print(f"| {name} | {value:.3f} |")
    scene = load_scene(asked.out)
    if scene.views:
        camera = scene.views[0].camera
        begun = time.perf_counter()
        scene.render(camera)
        print(f"one picture of {camera.width} x {camera.height} pixels: {time.perf_counter() - begun:.2f} s")


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
