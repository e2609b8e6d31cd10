"""Checkpoints of nerf-pytorch: a .tar with the state dicts of the coarse and the fine network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...nn.state_dict import fill, named_tensors, require_fit
from ...outputs import atomic_stream
from ...training.card import converted_card
from .frequency_config import FrequencyNetwork, NerfConfig, TwoPass
from .model import NerfNet

USE = "monoform pose PHOTO --scene {folder}"
PARTS = {"coarse": "network_fn_state_dict", "fine": "network_fine_state_dict"}
LARGEST = 1 << 30  # bytes; a checkpoint of a scene has 14 MB with its optimizer
ADVICE = "give a .tar file of nerf-pytorch, such as 200000.tar"
CONFIGS = {
    "blender": NerfConfig(),
    "llff": NerfConfig(
        sampling=TwoPass(near=0.0, far=1.0, coarse=64, fine=64, white=False),
        up="y",
        bounds=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
    ),
}


def config_names() -> list[str]:
    """The kinds of scene that a checkpoint can be of: synthetic ones with z up, or forward-facing ones."""
    return list(CONFIGS)


def read_published(file: str | Path, config: str | NerfConfig) -> tuple[NerfNet, NerfConfig]:
    """The networks of a checkpoint, in evaluation mode; their sizes are read off its tensors.

    Args:
        config: "blender"; "llff=WIDTHxHEIGHTxFOCAL" for a forward-facing scene in normalised device coordinates, with
            the pixels of its photos, which the checkpoint does not tell; or sampling and bounds of the scene.

    Raises:
        InputError: the file is missing, damaged, or holds other networks.
    """
    file = Path(file)
    chosen = _config(config) if isinstance(config, str) else config
    states = _states(file)
    sizes = _sizes(states["coarse"], file)
    sampling = chosen.sampling
    if "fine" not in states:
        states["fine"], sampling = states["coarse"], replace(sampling, fine=0)
    chosen = replace(chosen, network=sizes, sampling=sampling)
    with torch.device("meta"):
        empty = NerfNet(chosen)
    for part, state in states.items():
        require_fit(getattr(empty, part).state_dict(), state, f"{file}, {PARTS[part]}, does not fit NeRF", ADVICE)
    net = NerfNet(chosen)
    for part, state in states.items():
        fill(getattr(net, part).state_dict(), state, f"{file}, {PARTS[part]}, does not fit NeRF", ADVICE)
    return net.eval(), chosen


def write_published(net: NerfNet, file: str | Path, *, step: int = 0) -> None:
    """Write the networks as nerf-pytorch reads them."""
    content: dict[str, Any] = {"global_step": step, "optimizer_state_dict": {}}
    for part, name in PARTS.items():
        state = getattr(net, part).state_dict()
        content[name] = {key: tensor.detach().cpu().clone() for key, tensor in state.items()}
    with atomic_stream(file) as stream:
        torch.save(content, stream)


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    forward = config.startswith("llff")
    note = "its rays are in normalised device coordinates" if forward else "turned so that y is up"
    return converted_card(
        f"NeRF of one scene ({config})",
        "The networks of Mildenhall et al. 2020 in the format of nerf-pytorch",
        file=file,
        precision=precision,
        fails="all but one scene, from about where its photos were taken; the world is that of the checkpoint, "
        f"{note}.",
    )


def _config(words: str) -> NerfConfig:
    name, _, size = words.partition("=")
    if name not in CONFIGS:
        raise InputError(f"There is no NeRF configuration {words!r}; choose one of {', '.join(CONFIGS)}.")
    chosen = CONFIGS[name]
    if name != "llff":
        return chosen
    try:
        width, height, focal = (float(number) for number in size.split("x"))
    except ValueError:
        width = height = focal = 0.0
    if min(width, height, focal) <= 0:
        raise InputError(f"The configuration {words!r} needs its photos' pixels, as in llff=504x378x407.5.")
    return replace(chosen, sampling=replace(chosen.sampling, ndc=(2 * focal / width, 2 * focal / height)))


def _states(file: Path) -> dict[str, Mapping[str, Tensor]]:
    content = read_checkpoint(file, ADVICE, largest=LARGEST)
    if not isinstance(content, dict) or PARTS["coarse"] not in content:
        raise InputError(f"{file} has no {PARTS['coarse']}; {ADVICE}.")
    states: dict[str, Mapping[str, Tensor]] = {}
    for part, name in PARTS.items():
        state = content.get(name)
        if state is None and part == "fine":
            continue
        states[part] = named_tensors(state, f"{file}, {name},", ADVICE)
    return states


def _sizes(state: Mapping[str, Tensor], file: Path) -> FrequencyNetwork:
    """What the shapes of the tensors say."""
    layers = [int(found[1]) for name in state if (found := re.fullmatch(r"pts_linears\.(\d{1,4})\.weight", name))]
    if "output_linear.weight" in state:
        raise InputError(f"{file} is a NeRF without view directions, which cannot be read; train it with use_viewdirs.")
    first, seen = state.get("pts_linears.0.weight"), state.get("views_linears.0.weight")
    if first is None or seen is None or first.ndim != 2 or seen.ndim != 2:
        raise InputError(f"{file} lacks pts_linears.0 or views_linears.0; {ADVICE}.")
    width = first.shape[0]
    numbers = []
    for encoded in (first.shape[1], seen.shape[1] - width):
        frequencies, rest = divmod(encoded - 3, 6)
        if rest or not 0 <= frequencies <= 24:
            raise InputError(f"{file} encodes {encoded} numbers, which are not 3 + 6 for each frequency; {ADVICE}.")
        numbers.append(frequencies)
    return FrequencyNetwork(numbers[0], numbers[1], depth=max(layers) + 1, width=width)
