"""Training of bootstrapped inversion's generator on photos of a category (section 3.4 and supplement)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...data.categories import open_category
from ...data.categories.kinds import category_named
from ...errors import InputError
from ...metrics.features import open_features
from ...training import Training, TrainOptions, TrainResult, publish, train
from ...training.card import WIDTH, weights_card
from ...training.processes import process_count
from ...training.run_folder import is_first
from .config import BootstrapConfig
from .discriminator import BootstrapDiscriminator, discriminator_of
from .feeding import TrainingPhotos
from .model import BootstrapGenerator
from .networks import Opened, open_generator, open_networks
from .task import BootstrapTask, TrainedState
from .training_config import CONFIGS, BootstrapTraining

__all__ = ["CONFIGS", "TRAINING", "BootstrapTraining", "train_generator"]


def train_generator(
    data: str | Path, out: str | Path, options: TrainOptions, settings: BootstrapTraining | None = None
) -> TrainResult:
    """Train generator and discriminator on photos of a category; write `out`/weights and `out`/best.

    Raises:
        InputError: photos or weights cannot be read or do not fit, or `out` holds another training.
    """
    settings, out = settings or BootstrapTraining(), Path(out)
    shards = options.accumulate * process_count(options)
    settings.micro_batch(shards)
    features = open_features(settings.features, settings.features_weights or None)
    start = open_networks(settings.weights) if settings.weights else Opened()
    if settings.weights:
        known = open_generator(settings.weights).config
        half_side = known.scene.half_side
        settings = replace(settings, resolution=known.resolution, network=known.network, half_side=half_side)
    photos = _photos(data, settings, options.seed)
    torch.manual_seed(options.seed)
    state = _networks(settings.generator(photos.scene(settings.half_side)), settings, start)
    if is_first():
        told = f"configuration {settings.config}: {', '.join(_told(settings))}."
        print(textwrap.fill(told, WIDTH, subsequent_indent="  ", break_on_hyphens=False))

    def card(step: int, figures: Mapping[str, float]) -> str:
        return _card(photos, step, settings, figures)

    task = BootstrapTask(state, photos, settings, features, shards=shards, out=out, card=card)
    result = train(task, out, options=options)
    text = card(result.step, {name.removeprefix("evaluate/"): value for name, value in result.metrics.items()})
    publish(task.module, state.networks.config, result, out / "weights", card=text, part=state.networks)
    return result


def _photos(data: str | Path, settings: BootstrapTraining, seed: int) -> TrainingPhotos:
    category, training = category_named(settings.category), settings.training
    large = training.augment > 0 and category.high_res
    return TrainingPhotos(
        open_category(str(data), category),
        size=settings.resolution * (2 if large else 1),
        channels=4 if training.alpha else 3,
        seed=seed,
        classes=settings.network.classes,
        perturb=training.perturb_poses,
    )


def _networks(config: BootstrapConfig, settings: BootstrapTraining, start: Opened) -> TrainedState:
    """New networks; or those to start from, with a new discriminator where they have none.

    Raises:
        InputError: the discriminator to start from sees other images.
    """
    generator, judge = BootstrapGenerator(config), BootstrapDiscriminator(discriminator_of(config))
    generator.fill_surface(settings.beta, settings.alpha)
    if start.generator is not None:
        generator.load_state_dict(start.generator.state_dict())
    if start.discriminator is not None:
        if start.discriminator.config != judge.config:
            raise InputError(
                "The discriminator to start from was trained with other options of alpha, conditional_pose or classes: "
                "give the same, or weights without a discriminator."
            )
        judge.load_state_dict(start.discriminator.state_dict())
    return TrainedState(generator, judge).train()


def _told(options: Any, before: str = "") -> Iterator[str]:
    """All values by the names that change them."""
    for item in fields(options):
        value = getattr(options, item.name)
        if is_dataclass(value):
            yield from _told(value, f"{before}{item.name}.")
        else:
            yield f"{before}{item.name} {value if value != '' else 'none'}"


def _card(photos: TrainingPhotos, step: int, settings: BootstrapTraining, figures: Mapping[str, float]) -> str:
    start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
    iterations = max(step - settings.begin, 0)
    return weights_card(
        f"Bootstrapped inversion, {settings.category}, trained with monoform",
        "Random numbers to an object of one kind: its signed distance and colors (Pavllo et al. 2023).",
        data=f"{len(photos.photos.names)} photos of {settings.category} with their cameras.",
        license="that of the photos; the code is under Apache-2.0.",
        training=f"{iterations} iterations of {settings.training.batch} images, configuration "
        f"`{settings.config}`{start}.",
        fails="objects unlike those of the photos; sides that these rarely show.",
        figures={name: value for name, value in sorted(figures.items()) if "/" not in name} or "none were measured.",
    )


TRAINING = Training(
    "bootstrap",
    "a generator of shapes and colors from photos of a category with approximate cameras",
    BootstrapTraining,
    train_generator,
    steps=lambda settings: settings.begin + settings.training.iterations,
    data="Folder of the published sets, or an address that fsspec knows, see `monoform prepare check`.",
    remote=True,
    presets=CONFIGS,
)
