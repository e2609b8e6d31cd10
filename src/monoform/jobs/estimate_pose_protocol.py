"""iNeRF's protocol on a scene's own photos: perturbed starts, errors over time, how often it succeeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from ..camera import Camera
from ..data import CaptureView
from ..errors import InputError
from ..methods.inerf import random_starts
from ..metrics.pose import rotation_error, translation_error
from ..outputs import atomic_file, save_picture
from ..ranges import LARGEST_SEED, require_range
from ..scene.result_files import write_json
from .estimate_pose import FoundPose
from .pose_pictures import share_curves
from .pose_scenes import PoseTarget
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
    seed: int = 0
    """Seed of all randomness."""

    def __post_init__(self) -> None:
        ranges = {"photos": (0, 1_000_000), "starts": (1, 1000), "angle": (0, 180), "offset": (0, 1e6)}
        for name, (low, high) in (ranges | {"seed": (0, LARGEST_SEED)}).items():
            require_range(f"--{name}", getattr(self, name), low, high)


@dataclass(frozen=True)
class Run:
    """One photo from one start; errors are in degrees and as a share of the camera's distance.

    Attributes:
        photo: name of the photo.
        start: errors at the start.
        end: errors at the end.
        translation: error of the position at the end, in world units.
        converged: whether the estimate says that it can be believed.
        failure_reasons: why not, a clause each.
        seconds: it took.
        path: seconds and errors on the way.
    """

    photo: str
    start: tuple[float, float]
    end: tuple[float, float]
    translation: float
    converged: bool
    failure_reasons: tuple[str, ...]
    seconds: float
    path: tuple[tuple[float, float, float], ...] = field(repr=False, default=())

    def within(self, degrees: float, share: float) -> bool:
        """Whether both errors are below."""
        return self.end[0] < degrees and self.end[1] < share

    def seconds_to(self, degrees: float) -> float:
        """When the angle fell below `degrees` and stayed there; infinity where it did not."""
        last = math.inf
        for at, angle, _ in reversed(self.path):
            if not angle < degrees:
                break
            last = at
        return last

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """A run from its plain values."""
        angle, share = (math.nan if value is None else float(value) for value in row["start"])
        return cls(
            photo=str(row["photo"]),
            start=(angle, share),
            end=(float(row["end"][0]), float(row["end"][1])),
            translation=float(row["translation"]),
            converged=bool(row["converged"]),
            failure_reasons=tuple(row["doubts"]),
            seconds=float(row["seconds"]),
            path=tuple((float(at), float(angle), float(share)) for at, angle, share in row["path"]),
        )

    def row(self) -> dict[str, Any]:
        """The run as plain values for a table."""
        return {
            "photo": self.photo,
            "start": [value if math.isfinite(value) else None for value in self.start],
            "end": list(self.end),
            "translation": self.translation,
            "converged": self.converged,
            "doubts": list(self.failure_reasons),
            "seconds": round(self.seconds, 3),
            "path": [[round(value, 5) for value in point] for point in self.path],
        }


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


def starts_of(view: CaptureView, scene: PoseTarget, protocol: Protocol, number: int) -> list[Camera]:
    """The starts of one photo; the same for every optimizer."""
    camera = view.camera
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


def write_runs(out: Path, results: Mapping[str, Sequence[Run]], protocol: Protocol) -> str:
    """Write poses.json, poses.md and success.png; the table."""
    summaries = {name: summary_of_runs(runs) for name, runs in results.items()}
    finite = {
        name: {key: value if math.isfinite(value) else None for key, value in summary.items()}
        for name, summary in summaries.items()
    }
    told = {item.name: getattr(protocol, item.name) for item in fields(Protocol)}
    rows = {name: [run.row() for run in runs] for name, runs in results.items()}
    write_json(out / "poses.json", {"protocol": told, "summary": finite, "runs": rows})
    table = table_of(summaries)
    with atomic_file(out / "poses.md") as path:
        path.write_text(table, encoding="utf-8")
    save_picture(Image.fromarray(success_picture(results)), out / "success.png")
    return table


def success_picture(results: Mapping[str, Sequence[Run]]) -> UInt8[np.ndarray, "h w 3"]:
    """The share of runs within 5 degrees and within 5 % of the distance, over seconds."""
    series = {}
    for name, runs in results.items():
        longest = max(run.path[-1][0] for run in runs)
        times = np.geomspace(max(1e-2, 1e-3 * longest), max(longest, 2e-2), 200)
        for kind, column, limit in (("rotation", 1, 5.0), ("translation", 2, 0.05)):
            reached = np.array([[_at(run.path, at)[column] < limit for at in times] for run in runs])
            series[f"{name}: {kind}"] = (times, reached.mean(0))
    return share_curves(series, "share of runs within 5 degrees, and within 5 % of the distance")


def _at(path: Sequence[tuple[float, float, float]], seconds: float) -> tuple[float, float, float]:
    """The last known errors at a time; the first before."""
    known = [point for point in path if point[0] <= seconds]
    return known[-1] if known else path[0]
