"""iNeRF's protocol on a scene's own photos: perturbed starts, errors over time, how often it succeeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from ..camera import Camera
from ..data import CaptureView
from ..errors import InputError
from ..methods.inerf import euler_start, random_starts
from ..metrics.pose import rotation_error, translation_error
from ..outputs import atomic_file, save_picture
from ..ranges import LARGEST_SEED, require_range
from ..scene.result_files import write_json
from .estimate_pose import FoundPose
from .pose_runs import Run as Run
from .pose_scenes import PoseTarget
from .pose_success import success_picture as success_picture
from .pose_success import success_sheet
from .pose_truth import upright_view


@dataclass(frozen=True)
class Protocol:
    """Which photos and starts (Yen-Chen et al. 2021, section 4; its starts are recalled, not read)."""

    split: str = "test"
    """train or test."""
    photos: int = 5
    """How many, evenly spread; 0 for all."""
    starts: int = 5
    """Of each photo."""
    angle: float = 40.0
    """Largest angle of a start, degrees."""
    offset: float = 0.2
    """Largest offset of a start along each axis, world units."""
    relative: bool = False
    """--offset is the largest length of the offset, as a share of the camera's distance."""
    about: Literal["world", "camera"] = "world"
    """What starts turn about: world, as re-implementations do, or camera."""
    search: bool = False
    """No start at all; one run for each photo."""
    euler: tuple[float, ...] = ()
    """Instead of random starts one fixed start of each photo, as configurations of a widespread re-implementation have
    it: delta_phi, delta_theta, delta_psi in degrees and delta_t; for several scenes four numbers, or four for each."""
    euler_order: Literal["blender", "llff"] = "blender"
    """blender: the shift comes after the turns, z is up; llff: before them, y is up."""
    seed: int = 0
    """Seed of all randomness."""

    def __post_init__(self) -> None:
        ranges = {"photos": (0, 1_000_000), "starts": (1, 1000), "angle": (0, 180), "offset": (0, 1e6)}
        for name, (low, high) in (ranges | {"seed": (0, LARGEST_SEED)}).items():
            require_range(f"--{name}", getattr(self, name), low, high)
        if len(self.euler) % 4:
            raise InputError(f"--euler has {len(self.euler)} numbers: give phi, theta, psi and t, for each scene.")
        for number, value in enumerate(self.euler):
            require_range("--euler", value, *((-1e6, 1e6) if number % 4 == 3 else (-360, 360)))

    @property
    def runs(self) -> int:
        """Of each photo."""
        return 1 if self.search or self.euler else self.starts


def chosen_views(scene: PoseTarget, protocol: Protocol) -> list[CaptureView]:
    """The photos of the protocol.

    Raises:
        InputError: the scene has none in this split.
    """
    views = [upright_view(view) for view in scene.views if view.split == protocol.split]
    if not views:
        splits = sorted({view.split for view in scene.views})
        raise InputError(
            f"The scene has no photos in its split {protocol.split!r}; it has {', '.join(splits) or 'none'}."
        )
    if protocol.photos and protocol.photos < len(views):
        views = [views[round(index)] for index in np.linspace(0, len(views) - 1, protocol.photos)]
    return views


def starts_of(view: CaptureView, scene: PoseTarget, protocol: Protocol, number: int, place: int = 0) -> list[Camera]:
    """The starts of one photo; the same for every optimizer.

    Args:
        number: of the photo.
        place: of the scene among several.
    """
    camera = view.camera
    if protocol.euler:
        phi, theta, psi, shift = protocol.euler[4 * place : 4 * place + 4] or protocol.euler
        angles = math.radians(phi), math.radians(theta), math.radians(psi)
        fixed = euler_start(camera.world_from_camera, angles, shift, order=protocol.euler_order)
        return [replace(camera, world_from_camera=fixed)]
    generator = torch.Generator().manual_seed(protocol.seed * 100_003 + number)
    center = camera.world_from_camera.new_tensor(scene.scene_bounds.center)
    scale = float((camera.position[0] - center).norm()) if protocol.relative else 1.0
    poses = random_starts(
        camera.world_from_camera[0],
        protocol.starts,
        largest_angle=math.radians(protocol.angle),
        largest_offset=protocol.offset * scale / (math.sqrt(3.0) if protocol.relative else 1.0),
        generator=generator,
        about=protocol.about,
    )
    return [replace(camera, world_from_camera=pose[None]) for pose in poses]


def run_of(view: CaptureView, start: Camera, found: FoundPose, scene: PoseTarget, *, searched: bool = False) -> Run:
    """The errors of one estimate."""
    path = found.estimate.path
    truth = view.camera.world_from_camera.to(path)
    distance = float((truth[0, :3, 3] - truth.new_tensor(scene.scene_bounds.center)).norm())

    def errors(poses: torch.Tensor) -> list[tuple[float, float]]:
        several = truth.expand_as(poses)
        angles = torch.rad2deg(rotation_error(poses, several)).tolist()
        return list(zip(angles, (translation_error(poses, several) / distance).tolist(), strict=True))

    seconds = found.estimate.seconds.tolist()
    begin = errors(start.world_from_camera.to(path))[0]
    return Run(
        photo=view.image.name,
        start=(math.nan, math.nan) if searched else begin,
        end=(found.errors["rotation_degrees"], found.errors["translation_share"]),
        translation=found.errors["translation"],
        converged=found.estimate.converged,
        failure_reasons=found.estimate.failure_reasons,
        seconds=found.seconds,
        distance=distance,
        path=tuple((at, *error) for at, error in zip(seconds, errors(path), strict=True)),
    )


def summary_of_runs(runs: Sequence[Run]) -> dict[str, float]:
    """The paper's shares, ours, medians, and how far the flag can be trusted (right: within 2 degrees, 2 %)."""
    right = np.array([run.within(2.0, 0.02) for run in runs])
    believed = np.array([run.converged for run in runs])
    angles, shares = np.array([run.end for run in runs]).T
    offsets = np.array([run.translation for run in runs])
    times = np.array([run.seconds_to(2.0) for run in runs])
    return {
        "runs": float(len(runs)),
        "rotation_below_5_degrees": float((angles < 5).mean()),
        "translation_below_0.05": float((offsets < 0.05).mean()),
        "both": float(((angles < 5) & (offsets < 0.05)).mean()),
        "within_2_degrees_and_2_percent": float(right.mean()),
        "median_rotation_degrees": float(np.median(angles)),
        "median_translation": float(np.median(offsets)),
        "median_translation_percent": 100.0 * float(np.median(shares)),
        "median_seconds": float(np.median([run.seconds for run in runs])),
        "median_seconds_to_2_degrees": float(np.median(times)),
        "believed": float(believed.mean()),
        "believed_and_right": float((believed & right).sum() / max(believed.sum(), 1)),
        "right_and_believed": float((believed & right).sum() / max(right.sum(), 1)),
    }


def table_of(summaries: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table, a column for each set of runs."""
    names = list(summaries)
    lines = [["", *names], ["---", *["---:"] * len(names)]]
    for key in next(iter(summaries.values())):
        lines.append([key.replace("_", " "), *(f"{summaries[name][key]:.3g}" for name in names)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def scenes_table(results: Mapping[str, Sequence[Run]]) -> str:
    """A Markdown table, a row for each scene."""
    shares, medians = (
        ("rotation_below_5_degrees", "translation_below_0.05", "both"),
        ("rotation_degrees", "translation"),
    )
    keys = (*shares, *(f"median_{name}" for name in (*medians, "seconds")))
    lines = [["scene", *(key.replace("_", " ") for key in keys)], ["---", *["---:"] * len(keys)]]
    for name, runs in results.items():
        summary = summary_of_runs(runs)
        lines.append([name, *(f"{summary[key]:.3g}" for key in keys)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def write_runs(out: Path, results: Mapping[str, Sequence[Run]], protocol: Protocol) -> str:
    """Write poses.json, poses.md, success.csv, success.png and success_steps.png; the table."""
    summaries = {name: summary_of_runs(runs) for name, runs in results.items()}
    finite = {
        name: {key: value if math.isfinite(value) else None for key, value in summary.items()}
        for name, summary in summaries.items()
    }
    told = {item.name: getattr(protocol, item.name) for item in fields(Protocol)}
    rows = {name: [run.row() for run in runs] for name, runs in results.items()}
    write_json(out / "poses.json", {"protocol": told, "summary": finite, "runs": rows})
    table = table_of(summaries)
    for file, text in (("poses.md", table), ("success.csv", success_sheet(results))):
        with atomic_file(out / file) as path:
            path.write_text(text, encoding="utf-8")
    save_picture(Image.fromarray(success_picture(results)), out / "success.png")
    save_picture(Image.fromarray(success_picture(results, over="steps")), out / "success_steps.png")
    return table
