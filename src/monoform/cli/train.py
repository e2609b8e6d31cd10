"""monoform train WHAT --data DIR -o OUT"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..computing import Computing, DeviceWord, go_offline
from ..errors import InputError
from .options import choose, flags_of, is_flag, parse
from .settings import flags_of_options, option_rows, parse_settings, split_flags

if TYPE_CHECKING:
    from ..training import Training


@dataclass(frozen=True)
class Train(Computing):
    """Train a network; an interrupted training goes on from its last checkpoint with the same command."""

    what: tyro.conf.Positional[str]
    """What to train: lift, list, matting, pixelnerf, scene, or what an installed package adds."""
    data: Path
    """Folder that `monoform prepare meshes` has made; for pixelnerf a posed data set, see `monoform prepare check`;
    for list also ShapeNet's or Pix3D's layout with the samples of `monoform prepare sdf`;
    for scene a capture: transforms.json, transforms_train.json, poses_bounds.npy, or COLMAP's sparse/0."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for checkpoints, metrics and, at the end, the weights."""
    steps: int | None = None
    """Optimizer steps of the whole training. Default: the training's own, 4000 where it has none."""
    minutes: float | None = None
    """Stop cleanly, with a checkpoint, before this time is spent; of a scene with scores, mesh and film, which are
    shortened or left out, with a sentence, where the time is too short for them."""
    seed: int = 0
    """Seed of all randomness."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """32-true, or bf16-mixed: products in bfloat16."""
    device: DeviceWord = field(default="auto", kw_only=True)
    """Where it trains: cpu, cuda, mps; or auto, the first of cuda and mps that is there, else cpu."""
    set: tuple[str, ...] = field(default=())
    """Options of what is trained as NAME=VALUE, or each as --NAME VALUE; `monoform train WHAT --help` lists them."""


def read(words: list[str]) -> Train:
    """The options; those of the training itself are in `set`."""
    from ..jobs.train import trainings

    if all(is_flag(word) for word in words):
        return parse(Train, "train", words)  # its help, or what is missing
    known = trainings()
    places = zip(["", *words], words, strict=False)
    loose = [word for before, word in places if not is_flag(word) and not is_flag(before)]
    what = next((word for word in (*loose[:1], *words) if word in known), None)
    if what is None:
        named = loose[0] if loose else parse(Train, "train", words).what
        raise choose(named, known, f"{named!r} cannot be trained")
    own, others = split_flags(known[what].options, words, flags_of(Train))
    try:
        asked = parse(Train, "train", others, also=flags_of_options(known[what].options))
    except SystemExit:
        _print_options(known[what])
        raise
    return replace(asked, set=(*asked.set, *own))


def _print_options(training: Training) -> None:
    """What the training itself takes, behind the help of all."""
    print(f"options of {training.name}, {training.summary}:")
    for name, start, meaning in option_rows(training.options):
        print(f"  --{name.replace('_', '-')} (default: {start}): {meaning}")


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
    from ..devices import device_named
    from ..jobs.train import trainings
    from ..training import run_folder

    if asked.offline:
        go_offline()
    device_named(asked.device)  # before anything is read
    training = trainings()[asked.what]
    settings = training.options(**parse_settings(training.options, asked.set, training.name))
    steps = training.steps if asked.steps is None else asked.steps
    options = settings.loop(
        steps=steps,
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
    print(f"{result.step} of {steps} steps are done{STOPPED.get(result.stopped, '')}. {figures}")
    if (asked.out / "weights").is_dir():
        print(f"weights: {asked.out / 'weights'}")
    return 0 if result.stopped in ("done", "time") else 130
