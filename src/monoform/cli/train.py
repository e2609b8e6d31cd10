"""monoform train WHAT --data DIR -o OUT"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError
from .options import choose, parse
from .settings import option_rows, parse_settings


@dataclass(frozen=True)
class Train:
    """Train a network; an interrupted training goes on from its last checkpoint with the same command."""

    what: tyro.conf.Positional[str]
    """What to train: lift, list, matting, pixelnerf, scene, or what an installed package adds."""
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
    """Options of what is trained as NAME=VALUE; `monoform train WHAT --help` lists them."""


def read(words: list[str]) -> Train:
    """The options."""
    try:
        asked = parse(Train, "train", words)
    except SystemExit:
        _print_options(words)
        raise
    from ..jobs.train import trainings

    known = trainings()
    if asked.what not in known:
        raise choose(asked.what, known, f"{asked.what!r} cannot be trained")
    return asked


def _print_options(words: list[str]) -> None:
    """What --set takes, behind the help of a training that was named."""
    if all(word.startswith("-") for word in words):
        return
    from ..jobs.train import trainings

    named = [each for name, each in trainings().items() if name in words]
    for training in named[:1]:
        print(f"--set of {training.name}, {training.summary}:")
        for name, start, meaning in option_rows(training.options):
            print(f"  {name} (default: {start}): {meaning}")


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
    from ..jobs.train import trainings
    from ..training import run_folder

    training = trainings()[asked.what]
    settings = training.options(**parse_settings(training.options, asked.set, training.name))
    options = settings.loop(
        steps=asked.steps,
        seed=asked.seed,
        precision=asked.precision,
        max_seconds=None if asked.minutes is None else 60 * asked.minutes,
        begun=begun,
        device=asked.device,
        prefetch=True,
    )
    with run_folder(asked.out):
        result = training.run(asked.data, asked.out, options, settings)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in result.metrics.items())
    print(f"{result.step} of {asked.steps} steps are done{STOPPED.get(result.stopped, '')}. {figures}")
    if (asked.out / "weights").is_dir():
        print(f"weights: {asked.out / 'weights'}")
    return 0 if result.stopped in ("done", "time") else 130
