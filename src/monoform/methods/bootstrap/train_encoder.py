"""Training of the encoder on what its generator renders (section 3.2)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ...computing import DeviceWord
from ...data.categories import open_category
from ...errors import InputError
from ...nn.segformer import SMALL, SegformerConfig, load_mix_transformer
from ...ranges import require_ranges
from ...training import LoopSettings, Training, TrainOptions, TrainResult, publish, train
from ...training.card import weights_card
from ...training.checkpoint import checkpoint_path
from ...training.run_folder import run_folder
from ...training.weights import CONFIG
from .encoder import BootstrapEncoder, EncoderConfig
from .encoder_task import EncoderTask
from .feeding import views_of
from .model import BootstrapGenerator
from .networks import joined, open_generator, open_networks, require_fit
from .steps import Views


@dataclass(frozen=True)
class EncoderTraining(LoopSettings):
    """What is trained, and what a step consists of. Each configuration has its own values of all of these.

    Attributes:
        ema_decay: decay of averaged weights; none for no averaging, as published.
        clip: largest norm of a gradient; none for no limit, as published.
        checkpoint_every: steps from checkpoint to checkpoint.
        evaluate_every: steps from evaluation to evaluation, and one at the end; 0 for none.
        config: name of a configuration: small for CPUs, or published: MiT-B5 and 120,000 steps.
        backbone: sizes of the SegFormer.
        separate_backbones: whether the latent has a SegFormer of its own.
        backbone_weights: file of a SegFormer trained on ImageNet, mit_b5.pth for the published size; "" for none.
        encoder: folder of an encoder to start from, whose sizes take precedence; "" for none.
        photos: folder of the published sets of photos, or an address that fsspec knows, whose cameras renders are seen
            from; "" for the cameras that the generator's weights hold.
        category: of these photos, such as p3d_car.
        batch: renders of a step.
        iterations: steps of the whole training, where no --steps are given.
        rate: learning rate; it falls to a tenth at half of the steps.
        evaluated: renders that the encoder is measured by.
        cropped: whether renders show the object cut out as photos are given; published encoders have seen whole views.
        renders: so many are made once and learned from again and again, each depending on nothing but the seed and its
            number; 0: new ones at every step, as published.
    """

    ema_decay: float | None = None
    clip: float | None = None
    checkpoint_every: int = 500
    evaluate_every: int = 500
    config: str = "small"
    backbone: SegformerConfig = SMALL
    separate_backbones: bool = False
    backbone_weights: str = ""
    encoder: str = ""
    photos: str = ""
    category: str = ""
    batch: int = 16
    iterations: int = 4000
    rate: float = 1e-3
    evaluated: int = 16
    cropped: bool = True
    renders: int = 0

    def __post_init__(self) -> None:
        whose = "The encoder's"
        require_ranges(self, whose, batch=(1, 4096), iterations=(1, 10**9), rate=(0.0, 1.0), evaluated=(1, 4096))
        require_ranges(self, whose, renders=(0, 10**7))
        if self.config not in ("small", "published"):
            raise InputError(f"The encoder has no configuration {self.config!r}: choose one of small, published.")
        if bool(self.photos) != bool(self.category):
            raise InputError("Cameras of photos need both --photos DIR and --category NAME: give both, or none.")
        if self.encoder and self.backbone_weights:
            raise InputError("An encoder to start from has its backbone: give --encoder or --backbone-weights.")


def train_encoder(
    data: str | Path, out: str | Path, options: TrainOptions, settings: EncoderTraining | None = None
) -> TrainResult:
    """Train an encoder on renders of the generator in `data`; write both to `out`/weights, ready for photos.

    Raises:
        InputError: weights cannot be read, there are no cameras, or `out` holds another training.
    """
    settings, out = settings or EncoderTraining(), Path(out)
    net, held = open_generator(str(data)), open_networks(str(data))
    views = cameras_of(net, str(data), settings)
    torch.manual_seed(options.seed)
    encoder = encoder_of(net, settings)
    networks = joined(net, encoder, held.discriminator, held.perceptual)
    task = EncoderTask(
        encoder,
        net,
        views,
        batch=settings.batch,
        rate=settings.rate,
        steps=options.steps,
        evaluated=settings.evaluated,
        cropped=settings.cropped,
        kept=settings.renders,
        seed=options.seed,
    )
    result = train(task, out, options=options)
    card = _card(data, len(views), settings, result)
    publish(task.module, networks.config, result, out / "weights", card=card, part=networks)
    return result


def ready_encoder(
    weights: str, folder: str, config: str, *, photos: str = "", category: str = "", device: DeviceWord = "auto"
) -> str:
    """Folder of an encoder's weights; where none lie there yet, it is trained there first, or its training goes on.

    Args:
        weights: folder of the generator.
        folder: of the encoder's weights, or of its training.
        config: name of the configuration that is trained.
        photos: folder of the published sets, and
        category: of its photos, whose cameras renders are seen from.

    Raises:
        InputError: as `train_encoder`.
        KeyboardInterrupt: a signal has stopped the training.
    """
    if (Path(folder) / CONFIG).is_file():
        return folder
    settings = replace(PRESETS[config], photos=photos, category=category)
    options = settings.loop(steps=settings.iterations, device=device, prefetch=True)
    if not checkpoint_path(Path(folder), options.steps).is_file():
        with run_folder(folder):
            result = train_encoder(weights, folder, options, settings)
        if not result.finished:
            raise KeyboardInterrupt
    return str(Path(folder) / "weights")


def cameras_of(net: BootstrapGenerator, source: str, settings: EncoderTraining) -> Views:
    """Cameras that renders are seen from: of all photos, or of those that the generator's weights hold.

    Raises:
        InputError: there are none, or the photos are of another kind than the generator's.
    """
    scene = net.config.scene
    if settings.photos:
        photos = open_category(settings.photos, settings.category)
        if photos.category.orthographic != (scene.projection == "orthographic"):
            raise InputError(
                f"{source} is a generator for {scene.projection} cameras, {settings.category} has others: give the "
                "category that it was trained on."
            )
        return views_of(photos, net.config.network.classes)
    if not scene.poses:
        raise InputError(
            f"{source} holds no cameras that its objects could be seen from: give --photos DIR and --category NAME of "
            "the set that it was trained on."
        )
    poses = torch.tensor(scene.poses, dtype=torch.float32).reshape(-1, 4, 4)
    return Views(poses, torch.tensor(scene.pose_focals) if scene.pose_focals else None)


def encoder_of(net: BootstrapGenerator, settings: EncoderTraining) -> BootstrapEncoder:
    """The encoder that is to learn: a new one, or a copy of one to start from.

    Raises:
        InputError: weights to start from cannot be read, or are of another encoder.
    """
    if settings.encoder:
        start = open_networks(settings.encoder).encoder
        if start is None:
            raise InputError(f"{settings.encoder} holds no encoder to start from: give a folder that does.")
        require_fit(net.config, start.config, settings.encoder)
        with torch.inference_mode(False):
            return copy.deepcopy(start).requires_grad_(True).train()
    config = EncoderConfig(settings.backbone, net.config.network.w_dim, settings.separate_backbones)
    encoder = BootstrapEncoder(config)
    if settings.backbone_weights:
        load_mix_transformer(encoder.backbone, settings.backbone_weights)
        if settings.separate_backbones:
            load_mix_transformer(encoder.backbone_latent, settings.backbone_weights)
    return encoder


def _card(data: str | Path, cameras: int, settings: EncoderTraining, result: TrainResult) -> str:
    start = f", starting from {Path(settings.encoder).name}" if settings.encoder else ""
    if settings.backbone_weights:
        start = f", its backbone starting from {Path(settings.backbone_weights).name}"
    figures = {
        name.removeprefix("evaluate/"): value
        for name, value in sorted(result.metrics.items())
        if name.startswith("evaluate/")
    }
    return weights_card(
        "Bootstrapped inversion, generator and encoder",
        "A photo with its mask to an object and its camera (Pavllo et al. 2023): an encoder tells what its generator "
        "would have made it of.",
        data=f"renders of the generator {Path(data).name}, which is here too, from {cameras} cameras; no photo.",
        license="that of the generator; the code is under Apache-2.0.",
        training=f"{result.step} steps of {settings.batch} renders, configuration `{settings.config}`{start}. Figures "
        "are of further renders: coordinates and latent in the generator's units, rotation in degrees.",
        fails="objects of other kinds than the generator's; photos that its renders do not look like.",
        figures=figures or "none were measured.",
    )


PRESETS: dict[str, EncoderTraining] = {
    "small": EncoderTraining(renders=4096),
    "published": EncoderTraining(
        config="published",
        backbone=SegformerConfig(),
        batch=32,
        iterations=120_000,
        rate=6e-5,
        checkpoint_every=1000,
        evaluate_every=5000,
        evaluated=64,
        cropped=False,
    ),
}
"""As published, with MiT-B5; and what a CPU trains, which keeps its renders."""
TRAINING = Training(
    "bootstrap-encoder",
    "the encoder of a trained generator's images, by which bootstrap inverts photos",
    EncoderTraining,
    train_encoder,
    steps=lambda settings: settings.iterations,
    data="Folder of the generator's weights, as `monoform train bootstrap` or `monoform convert` writes it.",
    presets=PRESETS,
)
