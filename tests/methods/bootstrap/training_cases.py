"""Trainings of bootstrapped inversion so small that a step takes milliseconds, on photos that are written for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tests.data import category_cases
from tests.methods.bootstrap.tiny_bootstrap import NETWORK

from monoform.data.categories import open_category
from monoform.methods.bootstrap import BootstrapGenerator
from monoform.methods.bootstrap.config import Rays, Training
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, discriminator_of
from monoform.methods.bootstrap.feeding import TrainingPhotos
from monoform.methods.bootstrap.task import BootstrapTask, TrainedState
from monoform.methods.bootstrap.training_config import BootstrapTraining
from monoform.metrics.features import PyramidFeatures
from monoform.training import TrainOptions

SIDE = 16
TINY = Training(
    iterations=6,
    batch=4,
    alpha=True,
    augment=0.8,
    ada_target=0.6,
    warmup=2,
    path_warmup=2,
    rate_warmup=4,
    blur=1.0,
    cells=4,
)
OPTIONS = BootstrapTraining(
    config="p3d_car",
    category="p3d_car",
    resolution=SIDE,
    network=NETWORK,
    half_side=1.4,
    rays=Rays(4, 4),
    training=TINY,
    pretraining=2,
    metric_images=2,
    evaluate_every=0,
)


def changed(options: BootstrapTraining = OPTIONS, *, training: dict[str, Any] | None = None, **more: Any) -> Any:
    """Other options, those of a step among them."""
    return replace(options, training=replace(options.training, **(training or {})), **more)


def loop(options: BootstrapTraining, steps: int | None = None, **more: Any) -> TrainOptions:
    """Of the whole training, where no steps are given."""
    steps = options.begin + options.training.iterations if steps is None else steps
    return options.loop(steps=steps, device="cpu", progress=False, **more)


def photos_of(options: BootstrapTraining, folder: Path, seed: int = 0) -> TrainingPhotos:
    """Photos of cars, twice as large where they are augmented."""
    if not (folder / "p3d").exists():
        category_cases.write_detections(folder, count=6)
    return TrainingPhotos(
        open_category(folder, options.category),
        size=options.resolution * (2 if options.training.augment else 1),
        channels=4 if options.training.alpha else 3,
        seed=seed,
        classes=options.network.classes,
        perturb=options.training.perturb_poses,
    )


def task_of(options: BootstrapTraining, folder: Path, probability: float | None = None, seed: int = 0) -> BootstrapTask:
    """New networks, and photos of cars in the order of a seed."""
    photos = photos_of(options, folder, seed)
    config = options.generator(photos.scene(options.half_side))
    torch.manual_seed(0)
    generator = BootstrapGenerator(config)
    generator.fill_surface(options.beta, options.alpha)
    state = TrainedState(generator, BootstrapDiscriminator(discriminator_of(config)))
    if probability is not None:
        state.probability.fill_(probability)
    return BootstrapTask(
        state,
        photos,
        options,
        PyramidFeatures(),
        shards=options.accumulate,
        out=folder,
        card=lambda step, figures: "# Cars",
    )
