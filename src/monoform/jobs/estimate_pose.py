"""The camera of a photo of a known scene: opened, found, written."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..mesh.texture import to_bytes
from ..methods import PoseEstimate
from ..methods.inerf import Inerf, InerfOptions
from ..metrics.pose import rotation_error, translation_error
from ..outputs import atomic_folder, save_picture
from ..progress import work
from ..ranges import LARGEST_SEED, require_range
from ..render.video import write_video
from ..scene import Photo, versions
from ..scene.result_files import CAMERA, MASK, POSED, read_json, write_json, write_summary
from ..text import printable
from .pose_pictures import animation, comparison, curve
from .pose_scenes import PoseTarget, cut_out, object_photo
from .pose_truth import for_upright
from .pose_truth import truth_of as truth_of

OVERLAY, FILM, CURVE = "overlay.png", "convergence.mp4", "convergence.png"
POSES = "poses.json"  # of several photos
FOV = math.radians(40.0)  # of a photo of which nothing is known
NOISES = ("none", "gaussian", "s&p", "salt", "pepper", "poisson")


@dataclass(frozen=True)
class Disturbance:
    """What is done to a photo before its pose is sought: a test of robustness.

    Attributes:
        noise: kind, as in scikit-image's random_noise.
        sigma: standard deviation of gaussian noise.
        amount: share of pixels for salt and pepper.
        brightness: added to all colours.
        exposure: factor on all colours, before `brightness` is added.
    """

    noise: str = "none"
    sigma: float = 0.05
    amount: float = 0.05
    brightness: float = 0.0
    exposure: float = 1.0

    def __post_init__(self) -> None:
        if self.noise not in NOISES:
            raise InputError(f"--noise is {self.noise!r}; choose one of {', '.join(NOISES)}.")
        ranges = {"sigma": (0.0, 10.0), "amount": (0.0, 1.0), "brightness": (-1.0, 1.0), "exposure": (0.0, 100.0)}
        for name, (low, high) in ranges.items():
            require_range(f"--{name}", getattr(self, name), low, high)

    def applied(self, photo: Photo, seed: int) -> Photo:
        """The disturbed photo."""
        from skimage.util import random_noise

        colors = photo.rgb.astype(np.float64)
        if self.noise != "none":
            more = {"gaussian": {"var": self.sigma**2}, "poisson": {}}.get(self.noise, {"amount": self.amount})
            colors = random_noise(colors, mode=self.noise, rng=np.random.default_rng(seed), **more)
        rgba = photo.rgba.copy()
        rgba[..., :3] = np.clip(self.exposure * colors + self.brightness, 0.0, 1.0)
        return replace(photo, rgba=rgba)


@dataclass(frozen=True)
class PoseOptions:
    """Options of estimating a pose.

    Attributes:
        method: options of iNeRF.
        start: a rough camera of the photo; None: the scene's own guess, else the pose is sought all around.
        search: seek all around even where a start is known.
        focal: pixels of the original photo; None: from the start, the scene's cameras, EXIF, or 40 degrees.
        disturbance: of the photo before.
        matting: how an object's mask is found where the scene has a plain background.
        frames: of the film at most, 0 for none.
        seed: of all randomness.
        device: where networks compute; the scene's own is that it was opened on.
    """

    method: InerfOptions = field(default_factory=InerfOptions)
    start: Camera | None = None
    search: bool = False
    focal: float | None = None
    disturbance: Disturbance = field(default_factory=Disturbance)
    matting: str = "auto"
    frames: int = 24
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        require_range("--frames", self.frames, 0, 10_000)


@dataclass(frozen=True, eq=False)
class FoundPose:
    """A photo with its pose, and the errors where the truth is known.

    Attributes:
        photo: as it was opened.
        estimate: the pose.
        seconds: it took.
        errors: against the truth, by name; empty where it is not known.
        notices: what the user should know, a sentence each.
    """

    photo: Photo
    estimate: PoseEstimate
    seconds: float
    errors: Mapping[str, float]
    notices: tuple[str, ...]


def estimate_pose(
    photo: object, scene: PoseTarget, options: PoseOptions | None = None, *, truth: Camera | None = None
) -> FoundPose:
    """The camera of a photo.

    Args:
        photo: path, URL, array or `Photo`.
        truth: its true camera, to compare with.

    Raises:
        InputError: the photo or the start cannot be used.
    """
    options = options or PoseOptions()
    opened = photo if isinstance(photo, Photo) else Photo.open(photo)
    if scene.bare:
        opened = cut_out(object_photo(opened, matting=options.matting, device=options.device))
    opened = options.disturbance.applied(opened, options.seed)
    camera, search, notices = first_camera(opened, scene, options)
    method = options.method
    if scene.endless:
        method = replace(method, limits=replace(method.limits, overlap=0.0))
    began = time.perf_counter()
    with work("finding the camera"):
        found = Inerf(method).estimate(
            opened,
            scene.renderer,
            camera,
            scene_bounds=scene.scene_bounds,
            generator=torch.Generator().manual_seed(options.seed),
            search=search,
        )
    if scene.errors is not None:
        found = scene.errors.judged(found)
    seconds = time.perf_counter() - began
    errors = {} if truth is None else pose_errors(found.camera.world_from_camera, truth, scene.scene_bounds.center)
    return FoundPose(opened, found, seconds, errors, (*opened.notices, *notices))


def first_camera(photo: Photo, scene: PoseTarget, options: PoseOptions) -> tuple[Camera, bool, tuple[str, ...]]:
    """The camera to begin with, whether its pose is unknown, and sentences for the user."""
    start = options.start
    if start is None and scene.start is not None:
        start = scene.start(photo)
    start = start and for_upright(start, photo)
    pose = torch.eye(4)[None] if start is None else start.world_from_camera
    if start is not None and (start.width, start.height) != (photo.width, photo.height):
        raise InputError(
            f"The start is a camera of {start.width} x {start.height} pixels and the photo has {photo.width} x "
            f"{photo.height}: give the camera of a photo of the same size."
        )
    intrinsics, notices = _intrinsics(photo, scene, options, start)
    camera = Camera(pose, intrinsics, photo.width, photo.height)
    return camera, start is None or options.search, notices


def _intrinsics(
    photo: Photo, scene: PoseTarget, options: PoseOptions, start: Camera | None
) -> tuple[Float[Tensor, "1 3 3"], tuple[str, ...]]:
    known = scene.scene_bounds.cameras
    known = known and for_upright(known, photo)
    same = known is not None and known.width * photo.height == known.height * photo.width
    focal = options.focal
    if focal is not None and not 0.1 * max(photo.width, photo.height) < focal < 100 * max(photo.width, photo.height):
        raise InputError(f"A focal length of {focal} pixels does not fit a photo of {photo.width} x {photo.height}.")
    notices: tuple[str, ...] = ()
    if focal is None and start is not None:
        return start.intrinsics, notices
    if focal is None and known is not None and same:
        resized = known.resized(photo.width, photo.height)
        return resized.intrinsics.median(dim=0, keepdim=True).values, notices
    if focal is None:
        focal = photo.focal
    if focal is None:
        focal = 0.5 * photo.height / math.tan(0.5 * FOV)
        notices = ("The focal length is not known: 40 degrees from top to bottom are assumed; give --focal.",)
    matrix = [[focal, 0.0, photo.width / 2], [0.0, focal, photo.height / 2], [0.0, 0.0, 1.0]]
    return torch.tensor(matrix)[None], notices


def pose_errors(pose: Float[Tensor, "1 4 4"], truth: Camera, center: tuple[float, float, float]) -> dict[str, float]:
    """Angle in degrees, distance in world units, and as a share of the true distance to the centre."""
    reference = truth.world_from_camera.to(pose)
    away = float((reference[0, :3, 3] - reference.new_tensor(center)).norm())
    offset = float(translation_error(pose, reference)[0])
    return {
        "rotation_degrees": math.degrees(float(rotation_error(pose, reference)[0])),
        "translation": offset,
        "translation_share": offset / max(away, 1e-9),
    }


def estimate_to_folder(
    photo: str,
    folder: Path,
    scene: PoseTarget,
    options: PoseOptions | None = None,
    *,
    truth: Camera | None = None,
    scene_name: str = "",
) -> FoundPose:
    """Find a pose and write camera.json, overlay.png, the film and the curve, and result.json, whole or not at all."""
    options = options or PoseOptions()
    with atomic_folder(folder, POSED, inputs=(photo, scene_name)) as place:
        found = estimate_pose(photo, scene, options, truth=truth)
        estimate = found.estimate
        spread = None if estimate.covariance is None else estimate.covariance.tolist()
        write_json(place / CAMERA, estimate.camera.to_dict(covariance=spread))
        _save(to_bytes(comparison(found.photo, estimate.camera, scene)), place / OVERLAY)
        _save(curve(estimate, truth), place / CURVE)
        if found.photo.mask is not None:
            _save(to_bytes(found.photo.original_mask()), place / MASK)
        if options.frames:
            write_video(animation(found.photo, estimate, scene, options.frames), place / FILM, fps=6.0)
        write_summary(place, summary_of(found, scene, options, photo, scene_name))
    return found


def _save(pixels: UInt8[np.ndarray, "h w *c"], path: Path) -> None:
    save_picture(Image.fromarray(pixels), path)


def summary_of(found: FoundPose, scene: PoseTarget, options: PoseOptions, photo: str, name: str) -> dict[str, Any]:
    """The content of result.json."""
    estimate = found.estimate
    spread = estimate.covariance
    deviation = None
    if spread is not None:
        parts = spread.diagonal().sqrt()
        deviation = {"rotation_degrees": math.degrees(float(parts[:3].norm())), "translation": float(parts[3:].norm())}
    return {
        "job": "pose",
        "photo": {
            "name": printable(found.photo.name),
            "source": printable(photo),
            "width": found.photo.width,
            "height": found.photo.height,
        },
        "scene": {"source": printable(name), "kind": scene.kind},
        "optimizer": options.method.optimizer,
        "converged": estimate.converged,
        "doubts": list(estimate.failure_reasons),
        "score": estimate.score,
        "standard_deviation": deviation,
        "errors": dict(found.errors) or None,
        "evidence": {key: value for key, value in estimate.details.items() if math.isfinite(value)},
        "steps": len(estimate.path),
        "seconds": round(found.seconds, 3),
        "seed": options.seed,
        "notices": list(found.notices),
        "versions": versions(),
    }


def write_poses(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write poses.json: a line for each photo of a batch."""
    write_json(out / POSES, {"photos": rows})


def is_poses(file: Path) -> bool:
    """Whether a file is what `write_poses` writes."""
    content = read_json(file)
    return content.keys() == {"photos"} and all("photo" in row for row in content["photos"])
