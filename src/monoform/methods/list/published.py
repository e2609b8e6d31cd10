"""Checkpoints in the authors' format: {epoch, state_dict, optimizer, bestloss}, or one of the two files that the first
stage is split into. Our networks' tensors have the names that they have there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...nn.state_dict import fill, named_tensors, require_fit
from ...outputs import atomic_file, atomic_stream
from ...training.card import converted_card
from ...training.weights import load_pretrained
from .config import Compat, ListConfig, Network, preset
from .model import CoarseNet, ListNet, build

PUBLISHED = Compat(rescaled_vertices=True, moving_norms=True)
NAMES = ("shapenet", "coarse")
USE = (
    "monoform reconstruct PHOTO --method list --set weights={folder} -o OUT (a first stage: "
    "monoform train list --data DIR --set weights={folder} -o OUT)"
)
ENCODER_FILE, DECODER_FILE = "best_IME_test.pt.tar", "best_PD_test.pt.tar"
LARGEST = 4 << 30  # bytes; a published checkpoint with its optimizer has about 1.3 GB


def published_config(name: str) -> ListConfig:
    """The published configuration with the behaviour of the original: shapenet, or coarse for the first stage alone.

    Raises:
        InputError: there is none of this name.
    """
    if name not in NAMES:
        raise InputError(f"LIST has no published configuration {name!r}: choose one of {', '.join(NAMES)}.")
    stage = "coarse" if name == "coarse" else "list"
    return replace(preset("shapenet"), compat=PUBLISHED, stage=stage)  # type: ignore[arg-type]


def config_names() -> list[str]:
    """The configurations that a checkpoint can have."""
    return list(NAMES)


def read_published(file: str | Path, config: str | ListConfig) -> tuple[CoarseNet | ListNet, ListConfig]:
    """The network of a published checkpoint, in evaluation mode, with its configuration.

    Sizes that training options change (the tree, the volume encoder, the decoder's width) are taken from the tensors.
    Of the two files that the first stage is split into either may be given; the other lies beside it.

    Args:
        config: "shapenet" for a whole LIST, "coarse" for the first stage, or the configuration itself.

    Raises:
        InputError: the file is missing, damaged, holds more than tensors, or does not fit the configuration.
    """
    file = Path(file)
    chosen = published_config(config) if isinstance(config, str) else config
    label = config if isinstance(config, str) else "this configuration"
    state = _whole(file)
    is_coarse = any(name.startswith("image_encoder.") for name in state)
    if is_coarse != (chosen.stage == "coarse"):
        has, name = ("the first stage alone", "coarse") if is_coarse else ("a whole LIST", "shapenet")
        raise InputError(f"{file} holds {has}, which {label} is not: choose --config {name}.")
    chosen = replace(chosen, network=network_of(state, chosen.network))
    advice = f"give the file that a training with this configuration wrote (--config is one of {', '.join(NAMES)})"
    with torch.device("meta"):
        require_fit(build(chosen).state_dict(), state, f"{file} does not fit {label}", advice)
    net = build(chosen)
    fill(net.state_dict(), state, f"{file} does not fit {label}", advice)
    return net.eval(), chosen


def write_published(net: CoarseNet | ListNet, file: str | Path, *, epoch: int = 0) -> None:
    """Write a network as the authors' programs read it; the optimizer's state is empty."""
    content = {"epoch": epoch, "state_dict": _cpu(net.state_dict()), "optimizer": {}, "bestloss": float("inf")}
    with atomic_stream(file) as stream:
        torch.save(content, stream)


def write_split(net: CoarseNet, folder: str | Path, *, epoch: int = 0) -> tuple[Path, Path]:
    """Write the first stage as the two files with which the authors' second stage starts."""
    parts = {ENCODER_FILE: net.image_encoder, DECODER_FILE: net.point_decoder}
    with ExitStack() as files:  # both or none
        for name, part in parts.items():
            stream = files.enter_context(atomic_stream(Path(folder) / name))
            torch.save({"epoch": epoch, "state_dict": _cpu(part.state_dict())}, stream)
    return Path(folder) / ENCODER_FILE, Path(folder) / DECODER_FILE


def written_beside(folder: str | Path, file: str | Path) -> list[Path]:
    """The further files of `write_weights`: the two that a first stage is split into."""
    stage = load_pretrained(build, ListConfig, folder)[1].stage
    return [Path(file).parent / name for name in (ENCODER_FILE, DECODER_FILE)] if stage == "coarse" else []


def write_weights(folder: str | Path, file: str | Path) -> list[Path]:
    """Write a folder of weights as a published checkpoint; of a first stage also the two files it is split into.

    Raises:
        InputError: the folder holds no LIST, or a file cannot be written.
    """
    net, _ = load_pretrained(build, ListConfig, folder)
    with atomic_file(file) as draft:  # all files or none
        write_published(net, draft)
        return [Path(file), *(write_split(net, Path(file).parent) if isinstance(net, CoarseNet) else ())]


def coarse_of(net: ListNet) -> CoarseNet:
    """The first stage that a whole LIST holds."""
    coarse = CoarseNet(replace(net.config, stage="coarse"))
    coarse.image_encoder.load_state_dict(net.im_encoder.state_dict())
    coarse.point_decoder.load_state_dict(net.point_decoder.state_dict())
    return coarse.train(net.training)


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    return converted_card(
        f"LIST, {config}",
        f"Weights in the format of the LIST release (Arshad and Beksi 2023), configuration {config}",
        file=file,
        precision=precision,
        license="The release's code is under Apache-2.0.",
        fails="objects of other categories than those it was trained on, any background but black, very small "
        "structures.",
    )


def network_of(state: Mapping[str, Tensor], network: Network) -> Network:
    """The sizes that a state dict's tensors have; what they do not tell is as in `network`.

    Raises:
        InputError: the sizes make no network.
    """
    branches = _numbered(state, "point_decoder.gcn.TreeGCN_{}.W_branch", 3)
    found: dict[str, Any] = {}
    if branches:
        features = [shape[1] for shape in branches]
        degrees = [shape[2] // max(shape[1], 1) for shape in branches]
        found |= {"tree_features": (*features, 3), "tree_degrees": tuple(degrees), "vector": features[0]}
        found |= _sizes(state, {"point_decoder.gcn.TreeGCN_0.W_loop.0.weight": ("tree_support", 0, features[0])})
    volumes = _numbered(state, "vox_encoder.conv.conv_{}.weight", 5)
    if volumes:
        found["volume_channels"] = (volumes[0][1], *(shape[0] for shape in volumes))
    widths = _numbered(state, "point_mlp_coarse.block{}.0.weight", 4, first=1)
    if len(widths) == 3:
        found["point_widths"] = tuple(shape[0] for shape in widths)
    encoder = "image_encoder." if "image_encoder.conv1.weight" in state else "im_encoder."
    sources = {
        f"{encoder}conv1.weight": ("image_width", 0, 1),
        f"{encoder}fc.weight": ("image_hidden", 0, 1),
        "spatial_transformer.0.weight": ("localizer", 0, 1),
        "sdf_decoder.fc.fc_out.weight": ("hidden", 1, 1),
    }
    return replace(network, **found | _sizes(state, sources))


def _numbered(state: Mapping[str, Tensor], name: str, dimensions: int, *, first: int = 0) -> list[torch.Size]:
    """Shapes of numbered tensors, up to the first number that has none of so many dimensions."""
    shapes: list[torch.Size] = []
    while (tensor := state.get(name.format(first + len(shapes)))) is not None and tensor.ndim == dimensions:
        shapes.append(tensor.shape)
    return shapes


def _sizes(state: Mapping[str, Tensor], sources: Mapping[str, tuple[str, int, int]]) -> dict[str, int]:
    """Sizes along an axis of tensors, over a divisor."""
    return {
        size: state[name].shape[axis] // max(divisor, 1)
        for name, (size, axis, divisor) in sources.items()
        if name in state and state[name].ndim > axis
    }


def _cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def _whole(file: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors; the halves of a split first stage put together."""
    state = _tensors(file)
    is_encoder, is_decoder = "conv1.weight" in state, any(name.startswith("gcn.") for name in state)
    if not is_encoder and not is_decoder:
        return state
    other = file.with_name(_other_name(file.name, "IME" if is_encoder else "PD", "PD" if is_encoder else "IME"))
    if other == file or not other.is_file():
        wanted = DECODER_FILE if is_encoder else ENCODER_FILE
        raise InputError(f"{file} is half of a first stage; put the other half, named like {wanted}, beside it.")
    rest = _tensors(other)
    encoder, decoder = (state, rest) if is_encoder else (rest, state)
    joined = {f"image_encoder.{name}": tensor for name, tensor in encoder.items()}
    return joined | {f"point_decoder.{name}": tensor for name, tensor in decoder.items()}


def _other_name(name: str, part: str, other: str) -> str:
    return name.replace(part, other) if part in name else name


def _tensors(file: Path) -> dict[str, Tensor]:
    advice = "give a .pt.tar file of the release's train program"
    content = read_checkpoint(file, advice, largest=LARGEST)
    return named_tensors(content.get("state_dict", content) if isinstance(content, dict) else content, file, advice)
