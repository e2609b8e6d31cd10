"""How well a scene predicts photos that it was not trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image

from ...data.capture import CaptureView
from ...devices import device_named
from ...errors import InputError
from ...inputs.photo_names import plain_name, stem_of
from ...metrics import psnr, ssim
from ...metrics.evaluation import Evaluation, EvaluationOptions, Protocol
from ...metrics.evaluation import evaluate as run_evaluation
from ...metrics.table import ObjectScores, markdown_of, summary_of
from ...outputs import atomic_file, save_picture
from ...progress import one_by_one
from ...ranges import require_range
from ...render.bounds import ray_sphere
from ...training.weights import weights_digest
from .ray_bank import load_downscaled
from .scene import Scene, load_scene

ERROR_GAIN = 3.0


@dataclass(frozen=True)
class Scores:
    """Scores of each held-out photo, and their means.

    psnr and ssim are of whole pictures, but for what a photo's mask leaves out (then there is no ssim); psnr_content of
    the pixels whose rays meet the content's sphere, ssim_content of the box around these; psnr_object of the pixels
    that the scene covers by more than half, and psnr_object_gain of the same after one gain for each colour, the best,
    has taken out the photo's own exposure and white balance.
    """

    each: dict[str, dict[str, float]]

    @property
    def summary(self) -> dict[str, Any]:
        """Their table."""
        return summary_of([ObjectScores(name, "", 1, own) for name, own in self.each.items()])

    @property
    def mean(self) -> dict[str, float]:
        """Over the photos."""
        return self.summary["total"]


@dataclass(frozen=True, kw_only=True)
class SceneEvaluation(EvaluationOptions):
    """Render a scene from the cameras of photos that it was not trained on, and compare them.

    Writes OUT/PHOTO/comparison.png (photo, render, three times the error), metrics.json, metrics.md and metrics.csv.
    Interrupted, the same line goes on.
    """

    scene: Path
    """A folder that `monoform train scene` wrote; its photos have to be where they were."""
    split: Literal["held-out", "train"] = "held-out"
    """Which photos."""
    downscale_factor: float = 1.0
    """By how much they are made smaller."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--downscale-factor", self.downscale_factor, 1.0, 64.0)


class HeldOut(Protocol):
    """Photos of a scene against what it shows from their cameras.

    Args:
        scene: what is rendered.
        views: the photos.
        downscale_factor: by how much they are made smaller.
        weights: SHA-256 of the scene's file.
    """

    doing, unit, files = "comparing held-out photos", "photo", r"comparison\.png"

    def __init__(
        self, scene: Scene, views: Sequence[CaptureView], *, downscale_factor: float = 1.0, weights: str = ""
    ) -> None:
        self.scene, self.views, self.downscale_factor, self.weights = scene, views, downscale_factor, weights
        self.names = [name.with_suffix("").as_posix() for name in picture_names([view.name for view in views])]

    @classmethod
    def open(cls, asked: SceneEvaluation) -> HeldOut:
        """The protocol that is asked for.

        Raises:
            InputError: the scene cannot be opened, or has no such photos.
        """
        scene = load_scene(asked.scene, device=device_named(asked.device))
        views = scene.of_split("train") if asked.split == "train" else scene.of_split("val", "test")
        if not views:
            raise InputError(f"{asked.scene} has no photos that are {asked.split}: it was converted, or used them all.")
        return cls(scene, views, downscale_factor=asked.downscale_factor, weights=weights_digest(scene.folder))

    def measure(self, number: int, folder: Path) -> dict[str, float]:
        """Scores of a photo; comparison.png shows photo, render and three times the error."""
        return self.compared(number, folder / "comparison.png")

    def compared(self, number: int, picture: Path | None = None) -> dict[str, float]:
        """Scores of a photo, and the picture of them."""
        view, scene = self.views[number], self.scene
        image, counted, camera = load_downscaled(view, self.downscale_factor)
        seen, alpha = scene.render(camera)
        truth = image[..., :3]
        if image.shape[2] == 4:
            place = next(scene.net.parameters()).device
            behind = background_of(scene, camera.rays()[1][0].to(place)).cpu().reshape(truth.shape).numpy()
            truth = truth * image[..., 3:] + (1.0 - image[..., 3:]) * behind
        ours = seen.numpy()
        origins, directions = camera.rays()
        _, _, hit = ray_sphere(origins[0], directions[0], scene.radius, scene.center)
        inside = hit.reshape(camera.height, camera.width).numpy()
        covered = alpha.numpy() > 0.5
        if counted is not None:
            covered = covered & counted
        if picture is not None:
            _write_comparison(picture, truth, ours)
        return _scores(ours, truth, inside, counted) | _object_scores(ours, truth, covered)


EVALUATION = Evaluation(
    "a scene's photos that it was not trained on", SceneEvaluation, partial(run_evaluation, HeldOut.open)
)


def evaluate(
    scene: Scene, views: Sequence[CaptureView], *, downscale_factor: float = 1.0, pictures: Path | None = None
) -> Scores:
    """The scores of views; pictures show photo, render and three times the error."""
    protocol, each = HeldOut(scene, views, downscale_factor=downscale_factor), {}
    for number, name in enumerate(one_by_one(protocol.names, protocol.doing, unit=protocol.unit)):
        each[views[number].name] = protocol.compared(number, pictures and pictures / f"{name}.png")
    return Scores(each)


def picture_names(photos: Sequence[str]) -> list[Path]:
    """The file of each photo's comparison: in the photo's own sub-folder, whose names repeat in others.

    >>> [name.as_posix() for name in picture_names(["images/front/0007.jpg", "images/back/0007.jpg"])]
    ['front/0007.png', 'back/0007.png']
    """
    plain = [[part for part in plain_name(name).split("/") if part not in ("", "..")] for name in photos]
    folders = [parts[:-1] for parts in plain]
    shared = 0
    while folders and all(len(own) > shared and own[shared] == folders[0][shared] for own in folders):
        shared += 1
    taken: set[Path] = set()
    names = []
    for *inner, last in (parts[shared:] for parts in plain):
        name = Path(*inner, f"{stem_of(last)}.png")
        names.append(Path(*inner, f"{last}.png") if name in taken else name)
        taken.add(name)
    return names


def background_of(scene: Scene, directions: Float[torch.Tensor, "r 3"]) -> Float[torch.Tensor, "r 3"]:
    """What the scene has behind its content."""
    from .hash_model import HashScene

    if isinstance(scene.net, HashScene):
        with torch.no_grad():
            return scene.net.background(directions)
    return torch.full_like(directions, float(scene.net.config.sampling.white))


def write_scores(scores: Scores, folder: Path) -> None:
    """held_out.json and held_out.md."""
    with atomic_file(folder / "held_out.json") as file:
        file.write_text(json.dumps({"mean": scores.mean, "each": scores.each}, indent=1) + "\n", encoding="utf-8")
    with atomic_file(folder / "held_out.md") as file:
        file.write_text(markdown_of(scores.summary).replace("objects", "photos"), encoding="utf-8")


def _scores(
    ours: Float[np.ndarray, "h w 3"],
    truth: Float[np.ndarray, "h w 3"],
    inside: Bool[np.ndarray, "h w"],
    counted: Bool[np.ndarray, "h w"] | None = None,
) -> dict[str, float]:
    if counted is not None:
        if not counted.any():
            return {}
        found = {"psnr": psnr(ours[counted], truth[counted])}
        inside = inside & counted
        return found | ({"psnr_content": psnr(ours[inside], truth[inside])} if inside.any() else {})
    found = {"psnr": psnr(ours, truth)}
    if min(truth.shape[:2]) >= 7:
        found["ssim"] = ssim(ours, truth)
    if inside.any():
        found["psnr_content"] = psnr(ours[inside], truth[inside])
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if min(truth[box].shape[:2]) >= 7:
            found["ssim_content"] = ssim(ours[box], truth[box])
    return found


def _object_scores(
    ours: Float[np.ndarray, "h w 3"], truth: Float[np.ndarray, "h w 3"], covered: np.ndarray
) -> dict[str, float]:
    if not covered.any():
        return {}
    own, true = ours[covered].astype(np.float64), truth[covered].astype(np.float64)
    gain = (own * true).sum(axis=0) / np.maximum((own * own).sum(axis=0), 1e-12)
    return {"psnr_object": psnr(own, true), "psnr_object_gain": psnr(own * gain, true)}


def _write_comparison(file: Path, truth: Float[np.ndarray, "h w 3"], ours: Float[np.ndarray, "h w 3"]) -> None:
    error = np.clip(ERROR_GAIN * np.abs(truth - ours), 0, 1)
    sheet = np.rint(255 * np.clip(np.concatenate([truth, ours, error], axis=1), 0, 1)).astype(np.uint8)
    save_picture(Image.fromarray(sheet), file, marked=True)
