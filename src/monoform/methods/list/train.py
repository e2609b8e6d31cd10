"""Training of LIST in one go: the first stage, the hand-over, the second (Arshad and Beksi 2023, section 3.5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.arrays import INDEX
from ...data.packs.dataset import PackedObjects
from ...data.sdf.disn import FIRST_STAGE_MOST, SECOND_STAGE_MOST, DisnObjects
from ...data.sdf.items import DrawOptions, ShapeObjects, as_tensor, drawing
from ...data.sdf.jitter import draw_byte_jitter, jittered
from ...data.sdf.pix3d import Pix3dObjects
from ...errors import InputError
from ...progress import work
from ...training import TrainOptions, TrainResult, load_pretrained, publish, run_folder, train
from ...training.checkpoint import list_checkpoints
from .config import ListConfig, preset
from .model import CoarseNet, ListNet, build
from .packed import packed_batch, packed_solids
from .stages import Batches, CoarseTask, Judge, ListTask, StageOptions, best_level, judged_clouds, judged_distances

Format = Literal["auto", "pack", "shapenet", "pix3d"]
FIRST, SECOND, WEIGHTS = "first_stage", "second_stage", "weights"
JUDGED = 48  # held-out objects
LEVELLED, LEVEL_POINTS = 96, 2048  # objects, and points of each, by which the level is chosen
CARD = """# LIST, trained with monoform ({stage})

{what} (Arshad and Beksi 2023). Code Apache-2.0.

- Data: {data}
- Configuration: `{config}`{start}
- Training: {steps} steps of {batch} objects.
- Last figures of the training:
{figures}

Failure cases: objects unlike those of the data; thin and hollow parts; the hidden side is a guess; a background that
was not removed.
"""


@dataclass(frozen=True)
class ListTraining:
    """What is trained, and what a step consists of.

    Attributes:
        config: name of a configuration: small for CPUs, or shapenet.
        format: of the data: pack (of `monoform prepare meshes`), shapenet or pix3d; auto tells it by the files.
        weights: folder of a trained first stage, or of a whole LIST to go on with; "" for none.
        first_share: share of the steps, and of the time where it is limited, that the first stage takes.
        first_batch, batch: objects in a step of each stage.
        first_rate, rate: highest learning rates.
        points: with distances, of each object in a step; fractions: of them at each offset (shapenet, pix3d).
        cloud: surface points of each object in a step (pack).
        published: losses, optimizer and constant rate of the original, no averaged weights, no clipping.
        recolour: change colours at random. categories: "" for all, else their names.
    """

    config: str = "small"
    format: str = "auto"
    weights: str = ""
    first_share: float = 0.3
    first_batch: int = 32
    batch: int = 16
    first_rate: float = 1e-3
    rate: float = 1e-3
    points: int = 1024
    fractions: str = "0.45 0.44 0.1"
    cloud: int = 1024
    published: bool = False
    recolour: bool = True
    categories: str = ""

    def __post_init__(self) -> None:
        for name in ("first_batch", "batch", "points", "cloud"):
            if getattr(self, name) < 1:
                raise InputError(f"LIST's {name} is {getattr(self, name)}; it must be at least 1.")
        if self.batch < 2 or self.first_batch < 2:
            raise InputError("LIST's batch and first_batch must be at least 2: batch norms compare objects.")
        if not 0 < self.first_share < 1:
            raise InputError(f"LIST's first_share is {self.first_share}; give a share of the steps, above 0, below 1.")
        if self.format not in get_args(Format):
            raise InputError(f"LIST's format is {self.format!r}; choose one of {', '.join(get_args(Format))}.")

    @property
    def drawn(self) -> DrawOptions:
        """What is drawn of sample files."""
        try:
            fractions = tuple(float(word) for word in self.fractions.split())
        except ValueError as error:
            raise InputError(
                f"LIST's fractions are {self.fractions!r}; give numbers, as in '0.45 0.44 0.1'."
            ) from error
        return DrawOptions(fractions, self.points)


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
    if settings.published:
        options = replace(options, ema_decay=None, clip=None)
    start = load_pretrained(build, ListConfig, settings.weights)[0].train() if settings.weights else None
    config = replace(preset(settings.config) if start is None else start.config, stage="list")
    source = _source(Path(data), config, settings)
    with run_folder(out):
        return _both(config, start, source, out, options, settings)


def _both(
    config: ListConfig,
    start: CoarseNet | ListNet | None,
    source: Source,
    out: Path,
    options: TrainOptions,
    settings: ListTraining,
) -> TrainResult:
    steps = options.steps
    if start is None:
        steps = round((1 - settings.first_share) * options.steps)
        if not 0 < steps < options.steps:
            raise InputError(
                f"LIST's two stages need steps of their own; {options.steps} steps with first_share "
                f"{settings.first_share} leave one without: give more, or the weights of a first stage."
            )
        first = replace(options, steps=options.steps - steps, max_seconds=_share(options, settings.first_share))
        with work("first stage of two"):
            result = _first(config, source, out, first, settings)
        if result is not None and result.stopped not in ("done", "time"):
            return result
        start, _ = load_pretrained(build, ListConfig, out / FIRST / WEIGHTS)
    if options.deadline is not None and options.deadline - time.perf_counter() < 1.0:
        options = replace(options, begun=time.perf_counter(), max_seconds=1.0)  # the second stage has a step or two
    with work("second stage"):
        result = _second(start, config, source, out, replace(options, steps=steps), settings)
    return replace(result, step=options.steps - steps + result.step)


def _share(options: TrainOptions, share: float) -> float | None:
    return None if options.max_seconds is None else share * options.max_seconds


def _first(
    config: ListConfig, source: Source, out: Path, options: TrainOptions, settings: ListTraining
) -> TrainResult | None:
    """Train the first stage and write its weights; nothing once the second has begun from them."""
    if list_checkpoints(out / SECOND) and (out / FIRST / WEIGHTS).is_dir():
        return None
    torch.manual_seed(options.seed)
    net = CoarseNet(replace(config, stage="coarse"))
    stage = StageOptions(options.steps, settings.first_rate, settings.published)
    result = train(
        CoarseTask(net, source.batches(settings.first_batch), stage, source.judge()), out / FIRST, options=options
    )
    text = _card(source, result, settings, "first stage", settings.first_batch)
    publish(net, net.config, result, out / FIRST / WEIGHTS, card=text)
    return result


def _second(
    start: CoarseNet | ListNet,
    config: ListConfig,
    source: Source,
    out: Path,
    options: TrainOptions,
    settings: ListTraining,
) -> TrainResult:
    """Train the second stage, from a first stage or a whole network, and write the weights."""
    torch.manual_seed(options.seed)
    net = start if isinstance(start, ListNet) else ListNet(config)
    if isinstance(start, CoarseNet):
        net.start_from(start)
    stage = StageOptions(options.steps, settings.rate, settings.published)
    task = ListTask(net.train(), source.batches(settings.batch), stage, source.judge())
    result = train(task, out / SECOND, options=options)
    text = _card(source, result, settings, "LIST", settings.batch)
    publish(net, net.config, result, out / WEIGHTS, card=text)
    if source.solids is not None and not settings.published:
        place = next(net.parameters()).device
        solids = {name: values.to(place) for name, values in source.solids().items()}
        publish(net, replace(net.config, level=best_level(net.eval(), solids)), result, out / WEIGHTS, card=text)
    return result


@dataclass(frozen=True, eq=False)
class Source:
    """Where batches come from.

    Attributes:
        objects: how many there are; told: about them, for the card.
        make: (size, generator) -> a batch. held_out: a batch for the evaluation; None for none.
        solids: some of the training's objects with points in and out of them, for the level; None where there are none.
    """

    objects: int
    told: str
    make: Callable[[int, torch.Generator], dict[str, Tensor]]
    held_out: dict[str, Tensor] | None = None
    solids: Callable[[], dict[str, Tensor]] | None = None

    def batches(self, size: int) -> Batches:
        """Batches of a stage."""
        return lambda step, generator: self.make(size, generator)

    def judge(self) -> Judge | None:
        """Figures on the held-out objects, of either stage."""
        batch = self.held_out
        if batch is None:
            return None

        def judged(module: nn.Module) -> dict[str, float]:
            place = next(module.parameters()).device
            there = {name: values.to(place) for name, values in batch.items()}
            if isinstance(module, CoarseNet):
                return judged_clouds(module, there)
            assert isinstance(module, ListNet)
            return judged_distances(module, there)

        return judged


def _source(data: Path, config: ListConfig, settings: ListTraining) -> Source:
    kind = _kind(data) if settings.format == "auto" else settings.format
    if kind == "pack":
        return _packed(data, config, settings)
    if config.frame != "object":
        raise InputError(
            f"{settings.config} learns from a pack of `monoform prepare meshes`; for {data} take shapenet."
        )
    chosen = settings.categories.split() or None
    objects: ShapeObjects
    if kind == "pix3d":
        objects = Pix3dObjects(data, "train", categories=chosen)
    else:
        most = SECOND_STAGE_MOST if settings.weights else FIRST_STAGE_MOST
        objects = DisnObjects(data, "train", categories=chosen, most=most if settings.published else 0)
    for reason in objects.missing[:5]:
        print(f"Left out: {reason}")
    told = f"{len(objects)} of {kind}, {len(objects.missing)} listed ones missing"
    return Source(len(objects), told, lambda size, generator: _drawn(objects, size, settings, generator))


def _kind(data: Path) -> str:
    if (data / INDEX).is_file():
        return "pack"
    if (data / "data" / "pix3d.json").is_file():
        return "pix3d"
    if (data / "splits").is_dir():
        return "shapenet"
    raise InputError(
        f"{data} is neither a pack of `monoform prepare meshes` nor in ShapeNet's or Pix3D's layout (docs/list.md)."
    )


def _packed(data: Path, config: ListConfig, settings: ListTraining) -> Source:
    """A pack without its validation objects and their near-duplicates; some of the former are for the evaluation."""
    if config.frame != "upright":
        raise InputError(
            f"{settings.config} learns from sample files of `monoform prepare sdf`; for a pack take small."
        )
    objects = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])

    def make(size: int, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(objects), (size,), generator=generator)
        return packed_batch(
            objects,
            chosen,
            config,
            generator,
            points=settings.points,
            cloud=settings.cloud,
            recolour=settings.recolour,
        )

    def solids() -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(objects), generator=generator)[:LEVELLED]
        return packed_solids(objects, chosen, config, generator, points=LEVEL_POINTS)

    told = f"{len(objects)} packed objects of {objects.view_count} views ({', '.join(sorted(set(objects.licences)))})"
    return Source(len(objects), told, make, _held_out(data, config, settings), solids)


def _held_out(data: Path, config: ListConfig, settings: ListTraining) -> dict[str, Tensor] | None:
    known = set(PackedObjects(data).names)
    names = [name for name in validation_names() if name in known][:JUDGED]
    if not names:
        return None
    objects = PackedObjects(data, names)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.arange(len(names))
    return packed_batch(objects, chosen, config, generator, points=settings.points, cloud=settings.cloud, widen=False)


def _drawn(objects: ShapeObjects, size: int, settings: ListTraining, generator: torch.Generator) -> dict[str, Tensor]:
    """Random objects of sample files, their pictures in other colours."""
    items = []
    for _ in range(size):
        index = int(torch.randint(len(objects), (1,), generator=generator))
        item = objects.item(index, settings.drawn, drawing(generator))
        if settings.recolour:
            seed = int(torch.randint(1 << 31, (1,), generator=generator))
            change = draw_byte_jitter(np.random.default_rng(seed))
            item = replace(item, picture=jittered(item.picture, change))
        items.append(item)
    shapes = {(item.picture.shape, item.cloud.shape) for item in items}
    if len(shapes) > 1:
        raise InputError(f"Pictures and clouds of a data set must have one size; found {sorted(shapes)}.")
    return {
        "images": torch.stack([as_tensor(item.picture) for item in items]),
        "cloud": torch.from_numpy(np.stack([item.cloud for item in items])),
        "points": torch.from_numpy(np.stack([item.points for item in items])),
        "sdf": torch.from_numpy(np.stack([item.sdf for item in items])),
    }


def _card(source: Source, result: TrainResult, settings: ListTraining, stage: str, batch: int) -> str:
    figures = "\n".join(f"  - {name}: {value:.4f}" for name, value in sorted(result.metrics.items()))
    what = "A photo to a coarse cloud of points" if stage == "first stage" else "A photo to an implicit surface"
    start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
    return CARD.format(
        stage=stage,
        what=what,
        data=source.told,
        config=settings.config,
        start=start,
        steps=result.step,
        batch=batch,
        figures=figures,
    )
