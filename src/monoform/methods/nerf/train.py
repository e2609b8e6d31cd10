"""Training of a scene: a capture in, a folder with the scene out."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from ...data.capture import Capture, content_sphere, open_capture
from ...devices import device_of
from ...errors import InputError
from ...outputs import atomic_file
from ...progress import work
from ...training import Training, TrainOptions, TrainResult, publish, train
from ...training.card import weights_card
from .afterwards import Afterwards
from .config import SceneTraining
from .evaluate import Scores, write_scores
from .frequency_config import FrequencyNetwork, NerfConfig, TwoPass
from .hash_config import HashConfig, HashNetwork
from .hash_model import HashScene
from .model import NerfNet
from .ray_bank import RayBank
from .scene import Scene, load_scene, write_cameras
from .train_frequency import FrequencyTask
from .train_hash import HashTask


def train_scene(
    data: str | Path, out: str | Path, options: TrainOptions, settings: SceneTraining | None = None
) -> TrainResult:
    """Train on the photos of a capture that are for training; write the scene to `out`/weights.

    The folder holds model.safetensors, config.json, README.md, the cameras as transforms.json, and, where photos were
    held out, their scores as held_out.json and held_out.md with pictures; `load_scene` opens it.

    Raises:
        InputError: the capture cannot be read, or `out` holds another training.
    """
    settings = settings or SceneTraining()
    options = replace(options, begun=time.perf_counter() if options.begun is None else options.begun)
    with work("reading the capture"):
        capture = open_capture(data, settings.layout, up=settings.up)
        center, radius = _sphere(capture, settings)
        held = capture.of_split("test") or capture.of_split("val")
        reach = radius * settings.margin
        bank = RayBank(
            capture.of_split("train"), center=center, radius=reach, downscale_factor=settings.downscale_factor
        )
        validation = (
            RayBank(held, center=center, radius=radius, downscale_factor=settings.downscale_factor) if held else None
        )
    background = settings.background
    if background == "auto":
        background = "white" if bank.transparent else "learned" if settings.config == "hash" else "black"
    torch.manual_seed(options.seed)
    net, task = _task(settings, center, radius, background, bank, validation, options.steps)
    folder = Path(out) / "weights"
    after = Afterwards(Scene.of(folder, net, capture, center, radius), settings, held, options.deadline)
    result = train(task, out, options=options, reserve=after.seconds)
    publish(net, net.config, result, folder, card=_card(capture, net, result, settings, None))
    write_cameras(folder, capture, center, radius)
    first = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
    if first and result.stopped in ("done", "time"):
        after = replace(after, scene=load_scene(folder, device=next(net.parameters()).device))
        scores = after.scores(folder / "held_out")
        if scores is not None:
            write_scores(scores, folder)
            with atomic_file(folder / "README.md") as file:
                file.write_text(_card(capture, net, result, settings, scores), encoding="utf-8")
        after.make(Path(out))
    return result


def _sphere(capture: Capture, settings: SceneTraining) -> tuple[tuple[float, float, float], float]:
    center, radius = settings.center, settings.radius
    if center is None or not radius:
        found = content_sphere(capture)
        center, radius = center or found[0], radius or found[1]
    return center, radius


def _task(
    settings: SceneTraining,
    center: tuple[float, float, float],
    radius: float,
    background: str,
    bank: RayBank,
    validation: RayBank | None,
    steps: int,
) -> tuple[HashScene | NerfNet, HashTask | FrequencyTask]:
    if settings.config == "hash":
        network = HashNetwork(
            levels=settings.levels,
            features=settings.features,
            finest=settings.finest,
            log2_hashmap_size=settings.log2_hashmap_size,
            hidden=settings.hidden,
            color_hidden=settings.color_hidden,
        )
        config = HashConfig(
            network,
            center=center,
            radius=radius,
            margin=settings.margin,
            steps=settings.n_samples,
            background=background,  # type: ignore[arg-type]
            photos=len(bank.cameras) if settings.exposure and not bank.transparent else 0,
        )
        scene = HashScene(config)
        return scene, HashTask(scene, bank, settings, steps=steps, held_out=validation)
    if background == "learned":
        raise InputError("The frequency network has no learned background; choose white or black, or config=hash.")
    reach = radius * settings.margin
    low, high = ((tuple(c + sign * reach for c in center)) for sign in (-1, 1))
    own = NerfConfig(
        FrequencyNetwork(width=settings.width),
        TwoPass(0.0, 2.0 * reach, settings.coarse, settings.fine, white=background == "white"),
        up="y",
        bounds=(cast("tuple[float, float, float]", low), cast("tuple[float, float, float]", high)),
        sphere=(*center, reach),
    )
    net = NerfNet(own)
    return net, FrequencyTask(net, bank, settings, steps=steps, held_out=validation)


def _card(capture: Capture, net: nn.Module, result: TrainResult, settings: SceneTraining, scores: Scores | None) -> str:
    figures = "no photos were held out."
    if scores is not None:
        means = ", ".join(f"{name} {value:.2f}" for name, value in scores.mean.items())
        figures = f"{means}, of the {len(scores.each)} photos that were held out."
    return weights_card(
        f"A scene: {capture.root.resolve().name}",
        f"A radiance field of one capture, trained with monoform (`{settings.config}`).",
        data=capture.sentence(),
        license="that of the photos, whose content the scene shows; the code is under Apache-2.0.",
        training=f"{result.step} steps, {result.seconds:.0f} seconds on {torch.get_num_threads()} threads "
        f"({device_of(net)}).",
        fails="what no photo shows; shiny and transparent surfaces; photos whose cameras, light or focus differ.",
        figures=figures,
    )


TRAINING = Training(
    "scene",
    "a radiance field from posed photos of a capture",
    SceneTraining,
    train_scene,
    data="A capture: transforms.json, transforms_train.json, poses_bounds.npy, or COLMAP's sparse/0.",
)
