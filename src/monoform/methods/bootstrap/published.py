"""Checkpoints in the authors' format: generator, discriminator and encoder (section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...nn.state_dict import fill, named_tensors, require_fit
from ...training.card import converted_card
from .config import PRESETS, PUBLISHED, BootstrapConfig, Network, preset
from .discriminator import BootstrapDiscriminator, DiscriminatorConfig, discriminator_of
from .encoder import BootstrapEncoder, EncoderConfig
from .model import BootstrapGenerator

NAMES = tuple(name for name in PRESETS if name != "small")
LARGEST = 4 << 30  # bytes; a published file of a generator has some 700 MB with its optimizer
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


def read_published(file: str | Path, config: str | BootstrapConfig) -> tuple[BootstrapGenerator, BootstrapConfig]:
    """The averaged generator of a checkpoint, in evaluation mode, with its configuration.

    Args:
        config: the data set it was trained on, which tells all that the file does not; or the whole configuration.

    Raises:
        InputError: the file is missing, damaged, no such checkpoint, or does not fit the configuration.
    """
    found = read_generator(file, config)
    return found.generator, found.config


def read_generator(file: str | Path, config: str | BootstrapConfig) -> PublishedGenerator:
    """The averaged generator of a checkpoint and what comes with it; see `read_published`."""
    content = read_checkpoint(file, ADVICE, largest=LARGEST)
    if not isinstance(content, Mapping) or "model_ema" not in content:
        what = "an encoder" if isinstance(content, Mapping) and "model_coord" in content else "no model_ema"
        raise InputError(f"{file} holds {what} and no generator: {ADVICE.replace(' or c_it*_latest.pth', '')}.")
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
    content = read_checkpoint(file, ADVICE, largest=LARGEST)
    if not isinstance(content, Mapping) or "model_coord" not in content:
        raise InputError(f"{file} holds no model_coord and so no encoder: {ADVICE}.")
    state = tensors_of(content["model_coord"], file)
    chosen = config or EncoderConfig()
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
        require_fit(kind(config).state_dict(), state, source, ADVICE)
    net: nn.Module = kind(config)
    fill(net.state_dict(), state, source, ADVICE)
    return net.eval()


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint, with what the file lacks."""
    chosen = published_config(config)
    scene, network = chosen.scene, chosen.network
    facts = (
        f"cube of half side {scene.half_side:g}, {scene.projection} cameras, "
        f"{'flipped' if scene.flipped else 'not flipped'}, {'white' if scene.white else 'gray'} background, "
        f"{'with' if network.noise else 'without'} noise, focal lengths "
        f"{', '.join(f'{focal:g}' for focal in scene.focals) or 'of the training set unknown'}"
    )
    return converted_card(
        f"Bootstrapped inversion, {config}",
        f"Generator in the format of the release of Pavllo et al. (2023), configuration {config}: {facts}",
        file=file,
        precision=precision,
        license="The release's code is under Apache-2.0.",
        fails="objects of other categories than those it was trained on; sides that photos rarely show.",
    )
