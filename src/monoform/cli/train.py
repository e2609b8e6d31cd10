"""monoform train WHAT --data DIR -o OUT"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..errors import InputError
from .options import choose, parse

if TYPE_CHECKING:
    from ..training import TrainOptions, TrainResult

Trainer = Callable[[Path, Path, "TrainOptions", tuple[str, ...]], "TrainResult"]


@dataclass(frozen=True)
class Train:
    """Train a network; an interrupted training goes on from its last checkpoint with the same command."""

    what: tyro.conf.Positional[str]
    """What to train: lift, list, matting, pixelnerf, or scene."""
    data: Path
    """Folder that `monoform prepare meshes` has made; for pixelnerf a posed data set, see `monoform prepare check`;
    for list also ShapeNet's or Pix3D's layout with the samples of `monoform prepare sdf`;
    for scene a capture: transforms.json, transforms_train.json, poses_bounds.npy, or COLMAP's sparse/0."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for checkpoints, metrics and, at the end, the weights."""
    steps: int = 4000
    """Optimizer steps of the whole training."""
    minutes: float | None = None
    """Stop cleanly, with a checkpoint, before this time is spent; of a scene with scores, mesh and film, which are
    shortened or left out, with a sentence, where the time is too short for them."""
    seed: int = 0
    """Seed of all randomness."""
    precision: str = "32-true"
    """32-true, or bf16-mixed: products in bfloat16."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    set: tuple[str, ...] = field(default=())
    """Options of what is trained as NAME=VALUE; a wrong NAME is answered with all there are."""


def _lift(data: Path, out: Path, options: TrainOptions, words: tuple[str, ...]) -> TrainResult:
    from ..methods.lift.train import train_lift

    _no_words("lift", words)
    return train_lift(data, out, options)


def _list(data: Path, out: Path, options: TrainOptions, words: tuple[str, ...]) -> TrainResult:
    from ..methods.list.train import ListTraining, train_list
    from ..methods.options import parse_words

    return train_list(data, out, options, ListTraining(**parse_words(ListTraining, words, "list")))


def _matting(data: Path, out: Path, options: TrainOptions, words: tuple[str, ...]) -> TrainResult:
    from ..matting.train import train_matting

    _no_words("matting", words)
    return train_matting(data, out, options)


def _pixelnerf(data: Path, out: Path, options: TrainOptions, words: tuple[str, ...]) -> TrainResult:
    from ..methods.options import parse_words
    from ..methods.pixelnerf.train import PixelNerfTraining, train_pixelnerf

    settings = PixelNerfTraining(**parse_words(PixelNerfTraining, words, "pixelnerf"))
    return train_pixelnerf(data, out, options, settings)


def _scene(data: Path, out: Path, options: TrainOptions, words: tuple[str, ...]) -> TrainResult:
    from ..methods.nerf.settings import SceneTraining
    from ..methods.nerf.train import train_scene
    from ..methods.options import parse_words

    return train_scene(data, out, options, SceneTraining(**parse_words(SceneTraining, words, "scene")))


def _no_words(what: str, words: tuple[str, ...]) -> None:
    if words:
        raise InputError(f"--set {words[0]}: training {what} has no options of its own.")


WHAT: dict[str, Trainer] = {
    "lift": _lift,
    "list": _list,
    "matting": _matting,
    "pixelnerf": _pixelnerf,
    "scene": _scene,
}


def read(words: list[str]) -> Train:
    """The options."""
    asked = parse(Train, "train", words)
    if asked.what not in WHAT:
        raise choose(asked.what, WHAT, f"{asked.what!r} cannot be trained")
    return asked


STOPPED = {
    "time": "; the time that --minutes leaves for them is spent, the same line goes on",
    "SIGTERM": "; a signal has stopped them, the same line goes on",
    "SIGINT": "; Ctrl-C has stopped them, the same line goes on",
}


def run(words: list[str]) -> int:
    """Train, then write the weights of what is there."""
    asked = read(words)
    begun = time.perf_counter()
    if asked.minutes is not None and not 0 < asked.minutes < float("inf"):
        raise InputError(f"--minutes is {asked.minutes}; it must be positive.")
    from ..training import TrainOptions, run_folder

    options = TrainOptions(
        steps=asked.steps,
        seed=asked.seed,
        ema_decay=0.999,
        precision=asked.precision,  # type: ignore[arg-type]
        clip=1.0,
        checkpoint_every=250,
        evaluate_every=1000,
        max_seconds=None if asked.minutes is None else 60 * asked.minutes,
        begun=begun,
        device=asked.device,  # type: ignore[arg-type]
        prefetch=True,
    )
    with run_folder(asked.out):
        result = WHAT[asked.what](asked.data, asked.out, options, asked.set)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in result.metrics.items())
    print(f"{result.step} of {asked.steps} steps are done{STOPPED.get(result.stopped, '')}. {figures}")
    if (asked.out / "weights").is_dir():
        print(f"weights: {asked.out / 'weights'}")
    return 0 if result.stopped in ("done", "time") else 130
