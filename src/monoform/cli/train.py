"""monoform train WHAT --data DIR -o OUT"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..computing import Computing, DeviceWord
from ..errors import InputError
from .options import choose, flags_of, is_flag, parse
from .settings import flags_of_options, option_rows, parse_settings, split_flags

if TYPE_CHECKING:
    from ..training import Training


@dataclass(frozen=True)
class Train(Computing):
    """Train a network; an interrupted training goes on from its last checkpoint with the same command."""

    data: str
    """What it learns from; `monoform train WHAT --help` says what that is."""
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
    processes: int = 1
    """Processes of this machine, a GPU each where it trains on GPUs. Each step has the batches of all of them. Under
    torchrun its own count holds."""
    set: tuple[str, ...] = field(default=())
    """Options of what is trained as NAME=VALUE, or each as --NAME VALUE; `monoform train WHAT --help` lists them."""


@dataclass(frozen=True)
class TrainWhat(Train):
    __doc__ = Train.__doc__
    what: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="WHAT")] = field(kw_only=True)
    """What to train: bootstrap, bootstrap-encoder, embedding, lift, list, matting, pixelnerf, pof3d, scene, or what an
    installed package adds."""


def read(words: list[str]) -> tuple[Training, Train]:
    """What is trained, and the options; those of the training itself are in `set`."""
    from ..jobs.train import trainings

    known = trainings()
    places = enumerate(zip(["", *words], words, strict=False))
    loose = [place for place, (before, word) in places if not is_flag(word) and not is_flag(before)]
    found = next((place for place in (*loose, *range(len(words))) if words[place] in known), None)
    if found is None:  # without a loose word it is for help, or what is missing is said
        named = words[loose[0]] if loose else parse(TrainWhat, "train", words).what
        raise choose(named, known, f"{named!r} cannot be trained")
    what = words[found]
    training = known[what]
    own, others = split_flags(training.options, [*words[:found], *words[found + 1 :]], flags_of(Train))
    try:
        asked = parse(_kind(training), f"train {what}", others, also=flags_of_options(training.options))
    except SystemExit:
        _print_options(training)
        raise
    return training, replace(asked, set=(*asked.set, *own))


def _kind(training: Training) -> type[Train]:
    """The options, with what the training says of itself and its data."""
    data = Annotated[str, tyro.conf.arg(help=training.data, metavar="PATH")] if training.data else str
    about = (Train.__doc__ or "").replace("a network", training.summary, 1)
    return make_dataclass("Train", [("data", data)], bases=(Train,), frozen=True, namespace={"__doc__": about})


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


TOLD = 8


def told(metrics: Mapping[str, float]) -> str:
    """The last evaluation, without the bins of histograms, then losses, then others: the first few of them."""
    ranks = {name: (not name.startswith("evaluate/"), not name.endswith("loss")) for name in metrics}
    first = sorted((name for name in metrics if "_from_" not in name), key=lambda name: ranks[name])[:TOLD]
    figures = ", ".join(f"{name} {metrics[name]:.4g}" for name in metrics if name in first)
    return figures if len(first) == len(metrics) else f"{figures}; all {len(metrics)} figures are in metrics.jsonl"


def run(words: list[str]) -> int:
    """Train, then write the weights of what is there."""
    training, asked = read(words)
    begun = time.perf_counter()
    if asked.minutes is not None and not 0 < asked.minutes < float("inf"):
        raise InputError(f"--minutes is {asked.minutes}; it must be positive.")
    from ..training.run_folder import is_first, run_folder
    from .main import begin

    begin(asked)  # before anything is read
    settings = training.settings(lambda start: parse_settings(training.options, asked.set, training.name, start))
    steps = training.steps_of(settings) if asked.steps is None else asked.steps
    options = settings.loop(
        steps=steps,
        seed=asked.seed,
        precision=asked.precision,
        max_seconds=None if asked.minutes is None else 60 * asked.minutes,
        begun=begun,
        device=asked.device,
        processes=asked.processes,
        prefetch=True,
    )
    with run_folder(asked.out):
        data = asked.data if training.remote else Path(asked.data)
        result = training.run(data, asked.out, options, settings)
    code = 0 if result.stopped in ("done", "time") else 130
    if not is_first():
        return code
    print(f"{result.step} of {steps} steps are done{STOPPED.get(result.stopped, '')}. {told(result.metrics)}")
    if (asked.out / "weights").is_dir():
        print(f"weights: {asked.out / 'weights'}")
    return code
