"""Training of LIST in one go: the first stage, the hand-over, the second (Arshad and Beksi 2023, section 3.5)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ...training import (
    Stage,
    Task,
    Training,
    TrainOptions,
    TrainResult,
    load_pretrained,
    publish,
    save_pretrained,
    train_stages,
)
from ...training.card import weights_card
from .config import ListConfig, ListTraining, preset
from .judged import Judge, Save
from .model import CoarseNet, ListNet, build
from .sources import Source, open_source
from .stages import CoarseTask, ListTask, StageOptions, best_level

__all__ = ["FIRST", "SECOND", "WEIGHTS", "ListTraining", "train_list"]

FIRST, SECOND, WEIGHTS = "first_stage", "second_stage", "weights"


def train_list(
    data: str | Path, out: str | Path, options: TrainOptions, settings: ListTraining | None = None
) -> TrainResult:
    """Train both stages; write `out`/first_stage/weights and, at the end, `out`/weights; with each evaluation the best
    so far, `out`/first_stage/best and `out`/best.

    Interrupted in either stage, the same call goes on. `options.steps` and `options.max_seconds` are those of both
    stages together.

    Raises:
        InputError: the data or the weights cannot be read, or `out` holds another training.
    """
    settings, out = settings or ListTraining(), Path(out)
    options = replace(options, begun=time.perf_counter() if options.begun is None else options.begun)
    start = load_pretrained(build, ListConfig, settings.weights)[0].train() if settings.weights else None
    config = replace(preset(settings.config) if start is None else start.config, stage="list")
    config = replace(config, image_size=settings.image_size or config.image_size)
    source = open_source(Path(data), config, settings)
    later = source.second or source
    if settings.test_every or settings.save_every:
        for name, own, size in (("first", source, settings.first_batch), ("second", later, settings.batch)):
            if start is None or name == "second":
                print(f"An epoch of the {name} stage is {own.epoch(size)} steps: {own.objects} objects.")
    second = _second(start, config, later, out, settings)
    return train_stages([second] if start else [_first(config, source, out, settings), second], out, options)


def _first(config: ListConfig, source: Source, out: Path, settings: ListTraining) -> Stage:
    """The first stage, which leaves its weights."""
    card = _Card(source, settings, "first stage", settings.first_batch)

    def save(module: nn.Module, folder: Path, step: int, figures: Mapping[str, float]) -> None:
        assert isinstance(module, CoarseNet)
        save_pretrained(module, module.config, folder, card=card.of(step, figures))

    def begin(options: TrainOptions) -> CoarseTask:
        torch.manual_seed(options.seed)
        net = CoarseNet(replace(config, stage="coarse"))
        stage = StageOptions(options.steps, settings.first_rate, settings.published)
        judge = _judge(source, out / FIRST, out / FIRST, save, settings)
        return CoarseTask(net, source.batches(settings.first_batch), stage, judge)

    def end(task: Task, result: TrainResult) -> None:
        net = task.module
        assert isinstance(net, CoarseNet)
        publish(net, net.config, result, out / FIRST / WEIGHTS, card=card.of(result.step, result.metrics))

    changes = _intervals(source, settings, settings.first_batch)
    return Stage(FIRST, begin, end, share=settings.first_share, output=out / FIRST / WEIGHTS, changes=changes)


def _second(
    start: CoarseNet | ListNet | None, config: ListConfig, source: Source, out: Path, settings: ListTraining
) -> Stage:
    """The second stage, from a first stage or a whole network, which leaves the weights of the run."""
    card = _Card(source, settings, "LIST", settings.batch)

    def save(module: nn.Module, folder: Path, step: int, figures: Mapping[str, float]) -> None:
        assert isinstance(module, ListNet)
        save_pretrained(module, _levelled(module, source, settings), folder, card=card.of(step, figures))

    def begin(options: TrainOptions) -> ListTask:
        first = start
        if first is None:
            best = out / FIRST / "best"  # what the original hands over
            first = load_pretrained(build, ListConfig, best if _hands_best(best, settings) else out / FIRST / WEIGHTS)[
                0
            ]
        torch.manual_seed(options.seed)
        net = first if isinstance(first, ListNet) else ListNet(config)
        if isinstance(first, CoarseNet):
            net.start_from(first)
        stage = StageOptions(options.steps, settings.rate, settings.published)
        judge = _judge(source, out / SECOND, out, save, settings)
        return ListTask(net.train(), source.batches(settings.batch), stage, judge)

    def end(task: Task, result: TrainResult) -> None:
        net = task.module
        assert isinstance(net, ListNet)
        text = card.of(result.step, result.metrics)
        publish(net, net.config, result, out / WEIGHTS, card=text)
        if source.solids is not None and not settings.published:
            publish(net, _levelled(net.eval(), source, settings), result, out / WEIGHTS, card=text)

    return Stage(
        SECOND, begin, end, share=1 - settings.first_share, changes=_intervals(source, settings, settings.batch)
    )


def _hands_best(best: Path, settings: ListTraining) -> bool:
    return settings.published and best.is_dir()


def _judge(source: Source, folder: Path, out: Path, save: Save, settings: ListTraining) -> Judge | None:
    """The evaluation of a stage, where there is something to judge on."""
    if source.held_out is None:
        return None
    return Judge(source.held_out, folder, out, save, snapshots=settings.snapshots)


def _intervals(source: Source, settings: ListTraining, batch: int) -> dict[str, int]:
    """What the stage's loop does every so many epochs, in steps."""
    epoch = source.epoch(batch)
    found = {"evaluate_every": settings.test_every * epoch} if settings.test_every else {}
    if settings.save_every:
        found |= {"keep_every": settings.save_every * epoch, "keep_after": settings.save_after * epoch}
    return found


def _levelled(net: ListNet, source: Source, settings: ListTraining) -> ListConfig:
    """The configuration with the level that fits some of the training's objects best, where there are solids."""
    if source.solids is None or settings.published:
        return net.config
    place = next(net.parameters()).device
    solids = {name: values.to(place) for name, values in source.solids().items()}
    return replace(net.config, level=best_level(net, solids))


@dataclass(frozen=True)
class _Card:
    """What is known of a stage's weights."""

    source: Source
    settings: ListTraining
    stage: str
    batch: int

    def of(self, step: int, figures: Mapping[str, float]) -> str:
        settings = self.settings
        what = (
            "A photo to a coarse cloud of points" if self.stage == "first stage" else "A photo to an implicit surface"
        )
        start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
        return weights_card(
            f"LIST, trained with monoform ({self.stage})",
            f"{what} (Arshad and Beksi 2023).",
            data=f"{self.source.description}.",
            license="that of the data; the code is under Apache-2.0.",
            training=f"{step} steps of {self.batch} objects, configuration `{settings.config}`{start}.",
            fails="objects unlike those of the data; thin and hollow parts; the hidden side, which is a guess; a "
            "background that was not removed.",
            figures=dict(sorted(figures.items())),
        )


TRAINING = Training(
    "list",
    "an implicit surface from one photo: both stages, one command",
    ListTraining,
    train_list,
    data="Folder that `monoform prepare meshes` has made; or ShapeNet's or Pix3D's layout with the samples of "
    "`monoform prepare sdf`.",
)
