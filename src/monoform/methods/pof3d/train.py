"""Training of PoF3D on a set of photos without poses (section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from ...data.images import ImageSet
from ...training import (
    Training,
    TrainOptions,
    TrainResult,
    list_checkpoints,
    load_pretrained,
    publish,
    train,
)
from ...training.card import weights_card
from ...training.processes import process_count
from .networks import NetworksConfig, Pof3dNetworks
from .ordered_images import OrderedImages
from .task import Pof3dTask
from .template import poses_by_template
from .trained_state import TrainedState
from .training_config import PRESETS, Pof3dTraining

__all__ = ["PRESETS", "TRAINING", "Pof3dTraining", "train_pof3d"]


def train_pof3d(
    data: str | Path, out: str | Path, options: TrainOptions, settings: Pof3dTraining | None = None
) -> TrainResult:
    """Train generator and discriminator on a set of photos; write `out`/weights, `out`/best and `out`/snapshots.

    Raises:
        InputError: the photos or weights cannot be read, or `out` holds another training.
    """
    settings, out = settings or Pof3dTraining(), Path(out)
    torch.manual_seed(options.seed)
    networks = _networks(settings)
    photos = ImageSet(
        data,
        resolution=networks.config.generator.resolution,
        fit=settings.fit,
        mirrored=settings.mirror_data,
        at_least=settings.batch,
    )
    images_a_step = settings.images_a_step(process_count(options))

    def card(step: int, figures: Mapping[str, float]) -> str:
        return _card(len(photos), step * images_a_step, settings, figures)

    images = OrderedImages(photos, seed=options.seed, count=settings.batch)
    state = TrainedState(networks, settings, len(images))
    if state.told is not None and not list_checkpoints(out):  # which hold them, too
        network = networks.config.generator
        state.told.copy_(poses_by_template(network, settings.template, images.chosen, len(images), seed=options.seed))
    task = Pof3dTask(
        state,
        images,
        settings,
        images_a_step=images_a_step,
        out=out,
        card=card,
    )
    result = train(task, out, options=replace(options, nonfinite="zero"))
    text = card(result.step, {name.removeprefix("evaluate/"): value for name, value in result.metrics.items()})
    publish(task.module, task.config_at(result.step), result, out / "weights", card=text, part=networks)
    return result


def _networks(settings: Pof3dTraining) -> Pof3dNetworks:
    """New networks; or those to start from, with a new discriminator where they have none."""
    config = settings.networks()
    if not settings.weights:
        return Pof3dNetworks(config)
    found, known = load_pretrained(Pof3dNetworks, NetworksConfig, settings.weights)
    judge = replace(config.discriminator, resolution=known.generator.resolution) if config.discriminator else None
    if known.discriminator is not None and judge is not None:
        judge = replace(known.discriminator, frozen=judge.frozen, pose_noise=judge.pose_noise)
    networks = Pof3dNetworks(NetworksConfig(known.generator, judge))
    networks.load_state_dict(found.state_dict(), strict=known.discriminator is not None)
    return networks.train()


def _card(photos: int, images: int, settings: Pof3dTraining, figures: Mapping[str, float]) -> str:
    start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
    told = {name: value for name, value in sorted(figures.items()) if "_from_" not in name and "/" not in name}
    return weights_card(
        "PoF3D, trained with monoform",
        "Random numbers to an object, its picture and its pose; a picture to its pose (Shi et al. 2023).",
        data=f"{photos} photos without poses.",
        license="that of the photos; the code is under Apache-2.0.",
        training=f"{images} images, configuration `{settings.config}`{start}.",
        fails="objects unlike those of the photos; poses that the photos do not show; objects seen from all around, of "
        "which few poses may be learned (pose collapse).",
        figures=told or "none were measured.",
    )


TRAINING = Training(
    "pof3d",
    "a generator of images, shapes and poses from photos without poses",
    Pof3dTraining,
    train_pof3d,
    steps=lambda settings: math.ceil(1000 * settings.kimg / settings.images_a_step()),
    data="Folder or zip file of square photos of one kind of object, see `monoform prepare images`.",
    presets=PRESETS,
)
