"""Snapshots in the authors' format: pickled networks, of which only tensors and arguments are taken (section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...inputs.archives import damaged
from ...inputs.pickled_modules import PickledObject, read_pickled_modules, state_dict_of
from ...nn.state_dict import fill, require_fit
from ...nn.stylegan2.fir import fir_kernel
from ...training.card import converted_card
from .networks import NetworksConfig, Pof3dNetworks
from .published_options import GENERATOR, NAMES, discriminator_config, generator_config

DEFAULT = "auto"
USE = "monoform generate --weights {folder} --seeds 0-63 -o OUT"
ADVICE = "give a network-snapshot-*.pkl of the release or of its train program"
LARGEST = 4 << 30  # bytes; a published snapshot has some 500 MB
FILTER, UNUSED = "resample_filter", "dataset_label_std"
TAPS = (1, 3, 3, 1)
BACKGROUND = "fc_in.weight"  # ends the name of a tensor of the background field, wherever it is in the generator


def config_names() -> list[str]:
    """What a snapshot was trained with; auto for what it says of that itself."""
    return list(NAMES)


def read_published(file: str | Path, config: str | NetworksConfig = DEFAULT) -> tuple[Pof3dNetworks, NetworksConfig]:
    """The averaged generator of a snapshot and its discriminator, in evaluation mode, with their configuration.

    Sizes and options are those that the snapshot's networks were made with. An inverse renderer and an augmentation
    that it may hold are left out.

    Args:
        config: the data set it was trained on, which tells the focal length; "auto" goes by the snapshot; or the whole
            configuration.

    Raises:
        InputError: the file is missing, damaged, or holds networks of another kind.
    """
    return networks_of(read_pickled_modules(file, ADVICE, largest=LARGEST), file, config)


def networks_of(
    content: Any, file: str | Path, config: str | NetworksConfig = DEFAULT
) -> tuple[Pof3dNetworks, NetworksConfig]:
    """The networks of a snapshot's content; see `read_published`."""
    if not isinstance(content, dict) or not isinstance(content.get("G_ema"), PickledObject):
        raise InputError(f"{file} holds no generator G_ema: {ADVICE}.")
    if isinstance(config, str) and config not in NAMES:
        raise InputError(f"PoF3D has no published configuration {config!r}: choose one of {', '.join(NAMES)}.")
    generator, discriminator = content["G_ema"], content.get("D")
    if generator.kind != GENERATOR:
        raise InputError(f"The generator of {file} is a {generator.kind[:40]} and no {GENERATOR}: {ADVICE}.")
    try:
        state = {f"generator.{name}": tensor for name, tensor in tensors_of(generator).items()}
        if isinstance(discriminator, PickledObject):
            state |= {f"discriminator.{name}": tensor for name, tensor in tensors_of(discriminator).items()}
        if isinstance(config, str):
            config = NetworksConfig(
                generator_config(generator, content.get("training_set_kwargs"), config, str(file)),
                discriminator_config(discriminator.kind, discriminator, str(file))
                if isinstance(discriminator, PickledObject)
                else None,
            )
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise damaged(file, error, ADVICE) from error
    return _filled(config, state, file), config


def tensors_of(network: PickledObject) -> dict[str, Tensor]:
    """A network's tensors by the names that ours have, once its filters have proved to be those that ours use.

    Raises:
        ValueError: it is no network, or resamples by other filters.
    """
    found = {}
    taps = fir_kernel(TAPS)
    wanted = torch.outer(taps, taps)
    state = state_dict_of(network)
    background = next((name.removesuffix(BACKGROUND) for name in state if name.endswith(BACKGROUND)), None)
    for name, tensor in state.items():
        last = name.rpartition(".")[2]
        if last == FILTER and (tensor.shape != wanted.shape or not torch.allclose(tensor.float(), wanted)):
            raise ValueError(f"its {name[-80:]} is another filter than {list(TAPS)}")
        if last in (FILTER, UNUSED):
            continue
        if background is not None and name.startswith(background):
            name = f"background.{name.removeprefix(background)}"
        found[name] = tensor
    return found


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted snapshot."""
    return converted_card(
        f"PoF3D, {'its own configuration' if config in ('', DEFAULT) else config}",
        "Weights in the format of the PoF3D release (Shi et al. 2023)",
        file=file,
        precision=precision,
        license="The release's code is built on EG3D and StyleGAN, whose licenses allow no commercial use.",
        fails="objects of other categories than those it was trained on; categories seen from all sides, whose poses "
        "may have collapsed to few directions.",
    )


def _filled(config: NetworksConfig, state: Mapping[str, Tensor], file: str | Path) -> Pof3dNetworks:
    """The networks with all of a snapshot's tensors, made once these have proved to fit."""
    source = f"{file} does not fit the options that it holds"
    with torch.device("meta"):
        require_fit(Pof3dNetworks(config).state_dict(), state, source, ADVICE)
    networks = Pof3dNetworks(config)
    fill(networks.state_dict(), state, source, ADVICE)
    return networks.eval()
