"""Checkpoints in the authors' format: a plain state dict, in whose names our network's tensors are named too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...inputs.hocon import read_hocon
from ...nn.state_dict import fill, named_tensors
from ...outputs import atomic_file, atomic_stream
from ...training.card import converted_card
from ...training.weights import load_pretrained
from .config import Compat, PixelNerfConfig, Sampling, preset
from .model import PixelNerfNet
from .published_tree import (
    branch,
    data_from_published,
    network_from_published,
    published_from,
    sampling_from_published,
    schedule_from_published,
)
from .sample_schedule import SampleSchedule

PUBLISHED = Compat(
    shifted_center=True, random_rendering=True, depth_gradient=True, truncate=True, first_step_in_evaluation=True
)
NAMES = ("sn64", "sn64_unseen", "srn_car", "srn_chair", "dtu", "multi_obj")
LARGEST = 2 << 30  # bytes; a published checkpoint has 113 MB


def published_config(name: str) -> PixelNerfConfig:
    """A published configuration with the behaviour of the original."""
    chosen = preset(name)
    return replace(chosen, compat=PUBLISHED, network=replace(chosen.network, keep_unused_layers=True))


def config_names() -> list[str]:
    """The configurations that a checkpoint can have."""
    return list(NAMES)


def read_published(file: str | Path, config: str | PixelNerfConfig) -> tuple[PixelNerfNet, PixelNerfConfig]:
    """The network of a published checkpoint, in evaluation mode, with its configuration.

    A classification head in the encoder and counters of batches are left out; every other tensor has to be in its
    place.

    Args:
        file: what `torch.save` made of the state dict.
        config: name of a published configuration, or the configuration itself.

    Raises:
        InputError: the file is missing, damaged, no state dict of tensors, or does not fit the configuration.
    """
    chosen = published_config(config) if isinstance(config, str) else config
    label = config if isinstance(config, str) else "this configuration"
    advice = "give the file pixel_nerf_latest of the release or of a training with it"
    found = named_tensors(read_checkpoint(file, advice, largest=LARGEST), file, advice)
    net = PixelNerfNet(chosen)
    source = f"{file} does not fit {label}"
    advice = f"choose the configuration that it was trained with (--config, one of {', '.join(NAMES)})"
    _require_code(found, net.state_dict(), source, advice)
    fill(net.state_dict(), found, source, advice, may_be_left_out=_is_left_out)
    return net.eval(), chosen


def config_from_file(file: str | Path, name: str) -> PixelNerfConfig:
    """The network and the sampling of a HOCON file of the release, with what it includes.

    Args:
        name: of the published configuration for the pictures it was trained on; "" for the one that `data.format` of
            the file names.

    Raises:
        InputError: the file cannot be read, describes what the release cannot run, or nothing tells the pictures.
    """
    tree = read_hocon(file)
    chosen = name or data_from_published(tree)
    if not chosen:
        raise InputError(
            f"{file} has no data.format: say what it was trained on (--config, one of {', '.join(NAMES)})."
        )
    network = network_from_published(branch(tree, "model"))
    sampling = sampling_from_published(branch(tree, "renderer"))
    return replace(published_config(chosen), network=network, sampling=sampling)


def schedule_from_file(file: str | Path, sampling: Sampling) -> SampleSchedule:
    """The samples of a HOCON file of the release, by the objects that a training has seen.

    Args:
        sampling: of which all but the numbers of samples is taken.

    Raises:
        InputError: the file cannot be read, or its schedule is none.
    """
    return SampleSchedule(sampling, *schedule_from_published(branch(read_hocon(file), "renderer")))


def write_weights(folder: str | Path, file: str | Path) -> list[Path]:
    """Write a folder of weights as the authors' programs read it, and beside it the configuration that they need.

    Layers of the encoder that our own trainings leave out are there, since those programs ask for them; nothing runs
    them.

    Raises:
        InputError: the folder holds no pixelNeRF, or a file cannot be written.
    """
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, folder)
    whole = replace(config, network=replace(config.network, keep_unused_layers=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        written = PixelNerfNet(whole)
    written.load_state_dict(net.state_dict(), strict=False)
    [beside] = written_beside(folder, file)
    with atomic_file(file) as draft:  # both files or none
        write_published(written, draft)
        with atomic_file(beside) as conf:
            conf.write_text(json.dumps(published_from(whole), indent=2) + "\n", encoding="utf-8")
    return [Path(file), beside]


def written_beside(folder: str | Path, file: str | Path) -> list[Path]:
    """The configuration that `write_weights` writes: JSON, which is HOCON, too."""
    return [Path(file).with_name(f"{Path(file).name}.conf")]


def write_published(net: PixelNerfNet, file: str | Path) -> None:
    """Write a network's state dict as the authors' programs read it."""
    state = {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}
    with atomic_stream(file) as stream:
        torch.save(state, stream)


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    return converted_card(
        f"pixelNeRF, {config}",
        f"Weights in the format of the pixelNeRF release (Yu et al. 2021), configuration {config}",
        file=file,
        precision=precision,
        license="The release's code is under BSD-2-Clause.",
        fails="photos unlike its training images, which are of one domain for each checkpoint; density depends on the "
        "view direction, so that a mesh is an approximation.",
    )


def _require_code(found: dict[str, Tensor], wanted: dict[str, Tensor], source: str, advice: str) -> None:
    """The frequencies of the encoding are in the file: others belong to another configuration."""
    for name in ("code._freqs", "code._phases"):
        ours, theirs = wanted.get(name), found.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            continue
        if not torch.allclose(theirs.to(ours), ours, rtol=1e-4, atol=1e-4):
            raise InputError(f"{source}, its {name!r} has other values: {advice}.")


def _is_left_out(name: str) -> bool:
    """Heads that nothing runs, counters, and the state of an encoding or a batch that some versions stored."""
    return name.startswith(("encoder.model.fc.", "global_encoder.model.fc.")) or name in (
        "encoder.latent",
        "encoder.latent_scaling",
        "latent",
        "poses",
        "focal",
        "c",
        "image_shape",
    )
