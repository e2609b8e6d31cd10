"""Checkpoints in the authors' format: generator, discriminator and encoder (section 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...data.categories import open_category
from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...metrics.lpips import Lpips
from ...nn.state_dict import fill, named_tensors, read_state_dict
from ...nn.state_dict import require_fit as require_tensors
from ...training.card import converted_card
from ..base import PublishedWeights
from .config import PUBLISHED, BootstrapConfig, Network
from .discriminator import BootstrapDiscriminator, DiscriminatorConfig, discriminator_of
from .encoder import BootstrapEncoder, EncoderConfig
from .feeding import TrainingPhotos
from .model import BootstrapGenerator
from .networks import PerceptualWeights, joined, require_fit
from .presets import PRESETS, preset

NAMES = tuple(name for name in PRESETS if "small" not in name)
LARGEST = 4 << 30  # bytes; a published file of a generator has some 700 MB with its optimizer
GENERATOR, ENCODER = "a generator", "an encoder"
VGG, LINEAR = "VGG-16 of torchvision", "the linear layers of LPIPS"
LICENSE = "The release's code is under Apache-2.0."
ENCODER_NAME = re.compile(r"c_it(\d+)_")
ADVICE = "give checkpoint_latest.pth or c_it*_latest.pth of the release or of its train program"
FILTER = "resample_filter"
NOISE = ("noise_const", "noise_strength")


@dataclass(frozen=True)
class PublishedGenerator:
    """What a file of a generator holds.

    Attributes:
        generator: the averaged one, in evaluation mode.
        config: its configuration.
        discriminator: None where the file has none.
        iteration: steps that it was trained for, which name the encoder that belongs to it.
    """

    generator: BootstrapGenerator
    config: BootstrapConfig
    discriminator: BootstrapDiscriminator | None = field(compare=False)
    iteration: int


def config_names() -> list[str]:
    """The data sets that a generator can be trained on."""
    return list(NAMES)


def published_config(name: str) -> BootstrapConfig:
    """A published configuration with the behavior of the original."""
    if name not in NAMES:
        raise InputError(f"bootstrap has no published configuration {name!r}: choose one of {', '.join(NAMES)}.")
    return replace(preset(name), compat=PUBLISHED)


def read_published(file: str | Path, config: str | BootstrapConfig) -> tuple[nn.Module, Any]:
    """The networks of one checkpoint in evaluation mode, with their configuration; see `read_files`."""
    found = read_files([file], config)
    return found.module, found.config


def read_files(
    files: Sequence[str | Path], config: str | BootstrapConfig, data: str = "", precision: str = "float32"
) -> PublishedWeights:
    """Networks that belong together: a generator with its discriminator, its encoder, LPIPS; or an encoder alone.

    Args:
        files: checkpoints of a generator, of an encoder, torchvision's VGG-16, the linear layers of LPIPS; each once.
        config: the data set the generator was trained on, which tells all that files do not; or a whole configuration.
        data: folder of this set, whose cameras and focal lengths are kept with the weights; "" for none.
        precision: that the card tells.

    Raises:
        InputError: a file is missing, damaged, none of these, or does not fit the others or the configuration.
    """
    given: dict[str, tuple[str | Path, Any]] = {}
    for file in files:
        kind, content = kind_of(file)
        if kind in given:
            raise InputError(f"{given[kind][0]} and {file} both hold {kind}: give one of them.")
        given[kind] = file, content
    if (VGG in given) != (LINEAR in given):
        raise InputError(f"LPIPS needs {VGG} and {LINEAR}: give both files, or none.")
    encoder, iterations = encoder_in(*given[ENCODER]) if ENCODER in given else (None, 0)
    if GENERATOR not in given:
        if encoder is None or len(given) > 1 or data:
            raise InputError(f"There is no generator among {', '.join(map(str, files))}: {ADVICE}.")
        told = converted_card(
            "Bootstrapped inversion, an encoder",
            f"Encoder in the format of the release of Pavllo et al. (2023), after {iterations} iterations",
            file=given[ENCODER][0],
            precision=precision,
            license=LICENSE,
            fails="images of another generator than its own.",
        )
        alone = "monoform reconstruct PHOTO --method bootstrap --set weights=GENERATOR encoder={folder} -o OUT"
        return PublishedWeights(encoder, encoder.config, told, alone)
    file = given[GENERATOR][0]
    found = generator_in(*given[GENERATOR], config)
    generator = with_cameras(found.generator, data, config) if data else found.generator
    if encoder is not None:
        _require_of(given[ENCODER][0], encoder, file, found)
    perceptual = None
    if VGG in given:
        perceptual = PerceptualWeights.of(Lpips.load(given[VGG][0], given[LINEAR][0]))
    networks = joined(generator, encoder, found.discriminator, perceptual)
    label = config if isinstance(config, str) else "a configuration of one's own"
    told = card_of(file, label, generator.config, precision)
    use = "monoform generate --weights {folder} --seeds 0-7 -o OUT" if encoder is None else ""
    return PublishedWeights(networks.eval(), networks.config, told, use)


def kind_of(file: str | Path) -> tuple[str, Any]:
    """What a file holds, and its content.

    Raises:
        InputError: it cannot be read, or holds none of the networks of an inversion.
    """
    if Path(file).suffix == ".safetensors":
        content: Any = read_state_dict(file, ADVICE)
    else:
        content = read_checkpoint(file, ADVICE, largest=LARGEST)
    marks = {"model_ema": GENERATOR, "model_coord": ENCODER, "features.0.weight": VGG, "lin0.model.1.weight": LINEAR}
    kind = next((kind for mark, kind in marks.items() if isinstance(content, Mapping) and mark in content), None)
    if kind is None:
        raise InputError(f"{file} holds no model_ema, no model_coord, and no weights of LPIPS: {ADVICE}.")
    return kind, content


def with_cameras(generator: BootstrapGenerator, data: str, category: str | BootstrapConfig) -> BootstrapGenerator:
    """A generator that knows sample cameras and guesses of the focal length of its training set.

    Raises:
        InputError: the set cannot be used.
    """
    if not isinstance(category, str):
        raise InputError("Cameras are taken from the set of a published configuration: give its name.")
    config = generator.config
    photos = TrainingPhotos(open_category(data, category), size=config.resolution, channels=3)
    told = photos.scene(config.scene.half_side)
    scene = replace(config.scene, focals=told.focals, poses=told.poses, pose_focals=told.pose_focals)
    generator.config = replace(config, scene=scene)
    return generator


def read_generator(file: str | Path, config: str | BootstrapConfig) -> PublishedGenerator:
    """The averaged generator of a checkpoint and what comes with it.

    Args:
        config: as `read_files` takes it.

    Raises:
        InputError: the file is missing, damaged, no such checkpoint, or does not fit the configuration.
    """
    kind, content = kind_of(file)
    if kind != GENERATOR:
        raise InputError(f"{file} holds {kind} and no generator: {ADVICE.replace(' or c_it*_latest.pth', '')}.")
    return generator_in(file, content, config)


def generator_in(file: str | Path, content: Any, config: str | BootstrapConfig) -> PublishedGenerator:
    """The generator in the content of a file; see `read_generator`."""
    iteration = content.get("iteration")
    if not isinstance(iteration, int) or isinstance(iteration, bool):
        raise InputError(f"{file} does not say its iteration, which names its encoder: {ADVICE}.")
    state = tensors_of(content["model_ema"], file)
    label = config if isinstance(config, str) else "this configuration"
    chosen = published_config(config) if isinstance(config, str) else config
    chosen = replace(chosen, network=network_of(state, chosen.network))
    if not chosen.network.noise:  # files hold the noise of layers that do not use it
        state = {name: tensor for name, tensor in state.items() if not name.endswith(NOISE)}
    generator = filled(BootstrapGenerator, chosen, state, f"{file} does not fit {label}")
    discriminator = None
    if content.get("discriminator") is not None:
        judging = tensors_of(content["discriminator"], file)
        config_d = discriminator_config(judging, chosen)
        discriminator = filled(BootstrapDiscriminator, config_d, judging, f"The discriminator of {file} does not fit")
    return PublishedGenerator(generator, chosen, discriminator, iteration)


def read_encoder(file: str | Path, config: EncoderConfig | None = None) -> tuple[BootstrapEncoder, int]:
    """The encoder of a checkpoint in evaluation mode, and how many iterations it was trained for.

    Args:
        config: None for the published one; whether it has two backbones is seen in the file.

    Raises:
        InputError: the file is missing, damaged, no such checkpoint, or of another encoder.
    """
    kind, content = kind_of(file)
    if kind != ENCODER:
        raise InputError(f"{file} holds {kind} and no model_coord, no encoder: {ADVICE}.")
    return encoder_in(file, content, config)


def encoder_in(file: str | Path, content: Any, config: EncoderConfig | None = None) -> tuple[BootstrapEncoder, int]:
    """The encoder in the content of a file; see `read_encoder`."""
    state = tensors_of(content["model_coord"], file)
    told = state.get("w_regressor_post.2.weight")
    chosen = config or EncoderConfig(latent_dim=512 if told is None else len(told))
    chosen = replace(chosen, separate_backbones=any(name.startswith("backbone_latent.") for name in state))
    net = filled(BootstrapEncoder, chosen, state, f"{file} does not fit the encoder")
    iteration = content.get("iteration")
    return net, iteration if isinstance(iteration, int) else 0


def tensors_of(state: Any, file: str | Path) -> dict[str, Tensor]:
    """A network's tensors by name, without filters, which ours are made with."""
    return {name: tensor for name, tensor in named_tensors(state, file, ADVICE).items() if not name.endswith(FILTER)}


def network_of(state: Mapping[str, Tensor], network: Network) -> Network:
    """The options that a generator's tensors show: palette, view directions, distances, classes."""
    shapes = {name: tensor.shape for name, tensor in state.items()}
    colors, classes = (shapes.get(name) for name in ("texture_mapper.fc_values.weight", "class_embedding.weight"))
    return replace(
        network,
        palette=0 if colors is None or len(colors) != 2 else colors[0] // 3,
        view_directions="viewdir_mapper.fc0.weight" in shapes,
        sdf="beta" in shapes,
        classes=0 if classes is None or len(classes) != 2 else classes[0],
    )


def discriminator_config(state: Mapping[str, Tensor], config: BootstrapConfig) -> DiscriminatorConfig:
    """The options that a discriminator's tensors show: channels of the images and conditions."""
    base = discriminator_of(config)
    first = state.get(f"backbone.b{base.resolution}.fromrgb.weight")
    return replace(
        base,
        alpha=base.alpha if first is None or first.ndim != 4 else first.shape[1] == 4,
        conditional_pose="backbone.mapping.fc0.weight" in state,
    )


def filled(kind: Any, config: Any, state: dict[str, Tensor], source: str) -> Any:
    """A network with all of a file's tensors, made once these have proved to fit; in evaluation mode."""
    with torch.device("meta"):
        require_tensors(kind(config).state_dict(), state, source, ADVICE)
    net: nn.Module = kind(config)
    fill(net.state_dict(), state, source, ADVICE)
    return net.eval()


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint of a published configuration, with what the file lacks."""
    return card_of(file, config, published_config(config), precision)


def card_of(file: str | Path, name: str, chosen: BootstrapConfig, precision: str) -> str:
    """What is known of a converted checkpoint, with what the file lacks."""
    scene, network = chosen.scene, chosen.network
    facts = (
        f"cube of half side {scene.half_side:g}, {scene.projection} cameras, "
        f"{'flipped' if scene.flipped else 'not flipped'}, {'white' if scene.white else 'gray'} background, "
        f"{'with' if network.noise else 'without'} noise, focal lengths "
        f"{', '.join(f'{focal:g}' for focal in scene.focals) or 'of the training set unknown'}, "
        f"{len(scene.poses) or 'no'} sample cameras"
    )
    return converted_card(
        f"Bootstrapped inversion, {name}",
        f"Generator in the format of the release of Pavllo et al. (2023), configuration {name}: {facts}",
        file=file,
        precision=precision,
        license=LICENSE,
        fails="objects of other categories than those it was trained on; sides that photos rarely show.",
    )


def _require_of(file: str | Path, encoder: BootstrapEncoder, source: str | Path, found: PublishedGenerator) -> None:
    """An encoder is named after the iteration of its generator."""
    require_fit(found.config, encoder.config, file)
    named = ENCODER_NAME.match(Path(file).name)
    if named is not None and int(named.group(1)) != found.iteration:
        raise InputError(
            f"{file} is the encoder of a generator after {named.group(1)} iterations, {source} holds one after "
            f"{found.iteration}: give the encoder that was trained with it."
        )
