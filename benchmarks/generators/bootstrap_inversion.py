"""Bootstrapped inversion of photos with truth: does the encoder's start beat the mean latent, and is the pose found?

    python benchmarks/generators/bootstrap_inversion.py CARS WEIGHTS -o OUT [--arms encoder mean multi] [--loss l1]
        [--steps 0 10 30 100] [--photos 100] [--direct direct.pt]
    python benchmarks/generators/bootstrap_inversion.py CARS WEIGHTS -o OUT --table

CARS is a folder of `monoform prepare renders --layout p3d`; its test objects, which nothing has been trained on, are
rendered again with their true cameras: the first view is the photo, given with its mask and without its camera, the
others are unseen. A start of the refinement is

    encoder: the latent and the camera that the encoder tells
    mean: the mean latent, and the camera that the encoder tells
    multi: the mean latent, and eight cameras around, of which the best after five steps goes on

OUT/START-LOSS.json holds for each photo and number of steps: rotation (degrees from the true camera), iou and psnr in
the square around the object that is compared, and psnr_unseen, the mean of the unseen views by their true cameras.
--direct adds the rotation error of `bootstrap_direct.py`'s network. --table prints means and paired intervals.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

try:
    from .bootstrap_direct import DirectPose, motions
except ImportError:  # run as a file
    from bootstrap_direct import DirectPose, motions

from monoform import Photo
from monoform.camera import Camera
from monoform.data import procedural_cars
from monoform.data.packs.layouts import LayoutOptions, render_views_of
from monoform.methods import make
from monoform.methods.bootstrap import BootstrapGenerator
from monoform.methods.bootstrap.cameras import camera_of, published_numbers
from monoform.methods.bootstrap.estimate_pose import EstimatedCameras
from monoform.methods.bootstrap.image_scores import capped_psnr, opacity_iou
from monoform.methods.bootstrap.infer import Bootstrap
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.invert import invert
from monoform.methods.bootstrap.objective import Kind, Objective
from monoform.methods.bootstrap.photo_square import PhotoSquare
from monoform.methods.bootstrap.pose_parameters import PoseParameters, rotation_degrees
from monoform.methods.bootstrap.refined_state import State
from monoform.methods.bootstrap.refinement import Refinement
from monoform.methods.bootstrap.target import Target
from monoform.metrics.paired import difference_of_means
from monoform.outputs import atomic_file

STARTS = ("encoder", "mean", "multi")
AROUND, FILLED = 8, 1.25
"""Cameras of `multi`, and how many times larger an object is in its square than in its photo."""
TOGETHER = 10
FIGURES = {"rotation": -1, "iou": 1, "psnr": 1, "psnr_unseen": 1}
"""Which way is better."""


class Views:
    """What is photographed of one object: its square, its true camera, and unseen views."""

    def __init__(self, images: np.ndarray, alpha: np.ndarray, cameras: Camera, net: BootstrapGenerator) -> None:
        share = alpha[..., None].astype(np.float32)
        through = images / np.float32(255) - (1 - share)  # colors times their share
        colors = np.divide(through, share, out=np.zeros_like(through), where=share > 1e-3).clip(0, 1)
        photo = Photo.open(np.rint(255 * colors[0]).astype(np.uint8), mask=alpha[0].astype(np.float32))
        self.square = PhotoSquare.of(photo, net.config)
        self.unseen = torch.from_numpy(through[1:] + 0.5 * (1 - share[1:])).float()
        self.cameras = cameras
        self.true = published_numbers(cameras)[0][:1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cars", type=Path)
    parser.add_argument("weights")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=STARTS, default=STARTS)
    parser.add_argument("--loss", default="l1")
    parser.add_argument("--steps", type=int, nargs="+", default=(0, 10, 30, 100))
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--direct", type=Path)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if asked.table:
        print(table(asked.out))
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    method = cast(Bootstrap, make("bootstrap", weights=asked.weights, loss="l1"))
    taken = photographed(asked.cars, asked.photos, method.net)
    if asked.direct is not None:
        write(asked.out / "direct.json", {"0": regressed(asked.direct, taken)})
    for start in asked.arms:
        found: dict[str, list[dict[str, float]]] = {str(number): [] for number in asked.steps}
        for first in range(0, len(taken), TOGETHER):
            some = taken[first : first + TOGETHER]
            for number, rows in inverted(method, some, start, asked.loss, asked.steps).items():
                found[str(number)] += rows
            write(asked.out / f"{start}-{asked.loss}.json", found)
            print(f"{start}, {asked.loss}: {first + len(some)} of {len(taken)} photos", flush=True)
    print(table(asked.out))


def write(file: Path, found: Mapping[str, Any]) -> None:
    """As JSON, whole or not at all."""
    with atomic_file(file) as partial:
        partial.write_text(json.dumps(found))


def photographed(cars: Path, count: int, net: BootstrapGenerator) -> list[Views]:
    """The first test objects, rendered as the folder's pictures were."""
    record = json.loads((cars / "renders.json").read_text())
    options, splits = LayoutOptions(**record["options"]), record["splits"]
    sources = [each for each in procedural_cars(len(splits)) if splits[each.name] == "test"][:count]
    found = []
    for source in sources:
        images, alpha, cameras = render_views_of(source, "test", options)
        found.append(Views(images, alpha, cameras, net))
    return found


@torch.no_grad()
def regressed(file: Path, taken: list[Views]) -> list[dict[str, float]]:
    """Rotation errors of the direct network."""
    net = DirectPose()
    net.load_state_dict(torch.load(file))
    net.eval()
    told = net(torch.stack([each.square.rgb for each in taken]).permute(0, 3, 1, 2))
    off = rotation_degrees(motions(told), torch.cat([each.true for each in taken]))
    return [{"rotation": float(value)} for value in off]


def inverted(
    method: Bootstrap, some: list[Views], start: str, loss: Kind, steps: list[int]
) -> dict[int, list[dict[str, float]]]:
    """Figures of some photos after each number of steps."""
    net, draws = method.net, torch.Generator().manual_seed(0)
    told = [method.encoded(each.square, None, draws) for each in some]
    latent = torch.cat([encoded.latent for encoded, _ in told if encoded.latent is not None])
    cameras = together([each for _, each in told])
    if start != "encoder":
        latent = net.mean_style()[:, None].expand(len(some), 1, -1)
    if start == "multi":
        cameras = around(net, len(some))
    target = Target(torch.stack([each.square.rgb for each in some]), torch.stack([each.square.mask for each in some]))
    states: dict[int, tuple[Tensor, State]] = {}

    class Noting(Refinement):
        def loss(self, values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
            kept = {name: value.detach().clone() for name, value in values.items()}
            if step in steps and len(kept["row"].unique()) == len(kept["row"]):
                states[step] = kept["row"], State.of(kept)
            return super().loss(values, step)

    options = InversionOptions(steps=max(steps), counting="object")
    objective = Objective(loss)
    ended = invert(net, target, latent, cameras, objective, options, generator=draws, refinement=Noting)
    found: dict[int, list[dict[str, float]]] = {}
    for number in steps:
        assert ended.focal is not None
        styles, matrices, focal = ended.styles.clone(), ended.world_from_camera.clone(), ended.focal.clone()
        if number in states:
            rows, state = states[number]
            matrices[rows], lengths = state.pose.matrices(flipped=net.config.scene.flipped)
            assert lengths is not None
            focal[rows], styles[rows] = lengths, (state.latent * options.gain).expand(-1, net.slots, -1)
        elif number != max(steps):
            continue
        lone = zip(some, styles.split(1), matrices.split(1), focal.split(1), strict=True)
        found[number] = [figures(net, *each) for each in lone]
    return found


def together(cameras: list[EstimatedCameras]) -> EstimatedCameras:
    """Of several photos."""
    columns = {name: torch.cat([getattr(each, name) for each in cameras]) for name in vars(cameras[0])}
    return EstimatedCameras(**columns)


def around(net: BootstrapGenerator, count: int) -> EstimatedCameras:
    """The same cameras for so many photos: all around, as high, far and long as the training photos' are on average."""
    scene = net.config.scene
    poses, focals = torch.tensor(scene.poses).reshape(-1, 4, 4), torch.tensor(scene.pose_focals)
    azimuth = torch.atan2(poses[:, 0, 3], poses[:, 2, 3])
    chosen = [
        int((torch.remainder(azimuth - 2 * math.pi * number / AROUND + math.pi, 2 * math.pi) - math.pi).abs().argmin())
        for number in range(AROUND)
    ]
    mean = PoseParameters.of_matrices(poses, focals, flipped=scene.flipped)
    own = PoseParameters.of_matrices(poses[chosen], focals[chosen], flipped=scene.flipped)
    scale = torch.full_like(own.scale, float(mean.scale.mean()) * FILLED)
    assert mean.focal is not None
    focal = torch.full_like(scale, float(mean.focal.mean()))
    matrices, lengths = PoseParameters(own.quaternion, torch.zeros(AROUND, 2), scale, focal).matrices(
        flipped=scene.flipped
    )
    assert lengths is not None
    one = torch.ones(count, AROUND)
    return EstimatedCameras(matrices.expand(count, -1, -1, -1), lengths.expand(count, -1), 0 * one, one, one > 0)


@torch.no_grad()
def figures(
    net: BootstrapGenerator,
    of: Views,
    styles: Float[Tensor, "1 s d"],
    matrices: Float[Tensor, "1 4 4"],
    focal: Float[Tensor, " 1"],
) -> dict[str, float]:
    """Of one photo."""
    size = net.config.resolution
    seen = net.render(styles, camera_of(matrices, focal, (size, size)))
    unseen = [net.render(styles, camera).rgb[0] for camera in of.cameras[1:]]
    scores = [capped_psnr((ours + 1) / 2, theirs) for ours, theirs in zip(unseen, of.unseen, strict=True)]
    return {
        "rotation": float(rotation_degrees(matrices, of.true)[0]),
        "iou": opacity_iou(seen.alpha[0], of.square.mask),
        "psnr": capped_psnr((seen.rgb[0] + 1) / 2, (of.square.rgb + 1) / 2),
        "psnr_unseen": float(np.mean(scores)),
    }


def table(out: Path) -> str:
    """Means (of the rotation, its median too) of each start and number of steps, and of pairs the difference."""
    runs = {file.stem: json.loads(file.read_text()) for file in sorted(out.glob("*.json"))}
    lines = [
        "| start, loss | steps | photos | rotation, mean (median) | IoU | PSNR | PSNR unseen |",
        "|" + " --- |" * 7,
    ]
    for name, run in runs.items():
        for steps, rows in run.items():
            if rows:
                off = np.array([row["rotation"] for row in rows])
                means = [f"{np.mean([row[key] for row in rows]):.3f}" for key in FIGURES if key in rows[0]][1:]
                turned = f"{off.mean():.1f} ({np.median(off):.1f})"
                lines.append("| " + " | ".join([name, steps, str(len(rows)), turned, *means]) + " |")
    first = next((name for name in runs if name.startswith("encoder-")), "")
    lines += ["", "Mean of the encoder's start less that of the other, with 95 % of a paired bootstrap:", ""]
    for name, run in runs.items():
        for steps, rows in run.items() if first and name != first else ():
            ours = runs[first].get(steps, [])
            count = min(len(ours), len(rows))
            if not count:
                continue
            told = []
            for key in FIGURES:
                if key in rows[0]:
                    columns = (np.array([row[key] for row in each[:count]]) for each in (ours, rows))
                    told.append(f"{key} {difference_of_means(*columns)}")
            lines.append(f"- {name}, {steps} steps, {count} photos: {', '.join(told)}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
