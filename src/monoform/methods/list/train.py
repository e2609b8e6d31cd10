"""Training of LIST in one go: the first stage, the hand-over, the second (Arshad and Beksi 2023, section 3.5)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch

from ...training import Stage, Task, Training, TrainOptions, TrainResult, load_pretrained, publish, train_stages
from ...training.card import weights_card
from .config import ListConfig, ListTraining, preset
from .model import CoarseNet, ListNet, build
from .sources import Source, open_source
from .stages import CoarseTask, ListTask, StageOptions, best_level

__all__ = ["FIRST", "SECOND", "WEIGHTS", "ListTraining", "train_list"]

FIRST, SECOND, WEIGHTS = "first_stage", "second_stage", "weights"


def train_list(
    data: str | Path, out: str | Path, options: TrainOptions, settings: ListTraining | None = None
) -> TrainResult:
    """Train both stages; write `out`/first_stage/weights and, at the end, `out`/weights.

    Interrupted in either stage, the same call goes on. `options.steps` and `options.max_seconds` are those of both
    stages together.

    Raises:
        InputError: the data or the weights cannot be read, or `out` holds another training.
    """
    settings, out = settings or ListTraining(), Path(out)
    options = replace(options, begun=time.perf_counter() if options.begun is None else options.begun)
    start = load_pretrained(build, ListConfig, settings.weights)[0].train() if settings.weights else None
    config = replace(preset(settings.config) if start is None else start.config, stage="list")
    source = open_source(Path(data), config, settings)
    second = _second(start, config, source, out, settings)
    return train_stages([second] if start else [_first(config, source, out, settings), second], out, options)


def _first(config: ListConfig, source: Source, out: Path, settings: ListTraining) -> Stage:
    """The first stage, which leaves its weights."""

    def begin(options: TrainOptions) -> CoarseTask:
        torch.manual_seed(options.seed)
        net = CoarseNet(replace(config, stage="coarse"))
        stage = StageOptions(options.steps, settings.first_rate, settings.published)
        return CoarseTask(net, source.batches(settings.first_batch), stage, source.validate())

    def end(task: Task, result: TrainResult) -> None:
        net = task.module
        assert isinstance(net, CoarseNet)
        text = _card(source, result, settings, "first stage", settings.first_batch)
        publish(net, net.config, result, out / FIRST / WEIGHTS, card=text)

    return Stage(FIRST, begin, end, share=settings.first_share, output=out / FIRST / WEIGHTS)


def _second(
    start: CoarseNet | ListNet | None, config: ListConfig, source: Source, out: Path, settings: ListTraining
) -> Stage:
    """The second stage, from a first stage or a whole network, which leaves the weights of the run."""

    def begin(options: TrainOptions) -> ListTask:
        first = load_pretrained(build, ListConfig, out / FIRST / WEIGHTS)[0] if start is None else start
        torch.manual_seed(options.seed)
        net = first if isinstance(first, ListNet) else ListNet(config)
        if isinstance(first, CoarseNet):
            net.start_from(first)
        stage = StageOptions(options.steps, settings.rate, settings.published)
        return ListTask(net.train(), source.batches(settings.batch), stage, source.validate())

    def end(task: Task, result: TrainResult) -> None:
        net = task.module
        assert isinstance(net, ListNet)
        text = _card(source, result, settings, "LIST", settings.batch)
        publish(net, net.config, result, out / WEIGHTS, card=text)
        if source.solids is not None and not settings.published:
            place = next(net.parameters()).device
            solids = {name: values.to(place) for name, values in source.solids().items()}
            publish(net, replace(net.config, level=best_level(net.eval(), solids)), result, out / WEIGHTS, card=text)

    return Stage(SECOND, begin, end, share=1 - settings.first_share)


def _card(source: Source, result: TrainResult, settings: ListTraining, stage: str, batch: int) -> str:
    what = "A photo to a coarse cloud of points" if stage == "first stage" else "A photo to an implicit surface"
    start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
    return weights_card(
        f"LIST, trained with monoform ({stage})",
        f"{what} (Arshad and Beksi 2023).",
        data=f"{source.description}.",
        license="that of the data; the code is under Apache-2.0.",
        training=f"{result.step} steps of {batch} objects, configuration `{settings.config}`{start}.",
        fails="objects unlike those of the data; thin and hollow parts; the hidden side, which is a guess; a "
        "background that was not removed.",
        figures=dict(sorted(result.metrics.items())),
    )


TRAINING = Training(
    "list",
    "an implicit surface from one photo: both stages, one command",
    ListTraining,
    train_list,
    data="Folder that `monoform prepare meshes` has made; or ShapeNet's or Pix3D's layout with the samples of "
    "`monoform prepare sdf`.",
)
