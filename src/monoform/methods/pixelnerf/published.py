"""Checkpoints in the authors' format: a plain state dict, in whose names our network's tensors are named too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...atomic import atomic_file
from ...errors import InputError
from .config import Compat, PixelNerfConfig, preset
from .model import PixelNerfNet

PUBLISHED = Compat(
    shifted_centre=True, random_rendering=True, depth_gradient=True, truncate=True, first_step_in_evaluation=True
)
NAMES = ("sn64", "sn64_unseen", "srn_car", "srn_chair", "dtu", "multi_obj")
LARGEST = 2 << 30  # bytes; a published checkpoint has 113 MB
CARD = """# pixelNeRF, {config}

Weights in the format of the pixelNeRF release (Yu, Ye, Tancik, Kanazawa 2021), converted from `{file}`.

- Licence, data and credits are those of the checkpoint that was converted; the release's code is under BSD-2-Clause.
- Configuration: {config}.
- Metrics: none were measured in the conversion; the numbers of the tensors are unchanged ({precision}).
- Known weaknesses: one domain of objects for each checkpoint, and photos unlike its training images fail; density
  depends on the view direction, so that a mesh is an approximation.
"""


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
    found = _tensors(Path(file))
    net = PixelNerfNet(chosen)
    wanted = net.state_dict()
    _require_fit(found, wanted, Path(file), label)
    with torch.no_grad():
        for name, tensor in wanted.items():
            if name in found:
                tensor.copy_(found[name])
    return net.eval(), chosen


def write_published(net: PixelNerfNet, file: str | Path) -> None:
    """Write a network's state dict as the authors' programs read it."""
    state = {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}
    with atomic_file(file) as temporary:
        torch.save(state, temporary)


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    return CARD.format(file=Path(file).name, config=config, precision=precision)


def _tensors(file: Path) -> dict[str, Tensor]:
    advice = "give the file pixel_nerf_latest of the release or of a training with it"
    if not file.is_file():
        raise InputError(f"There is no checkpoint {file}: {advice}.")
    if file.stat().st_size > LARGEST:
        raise InputError(f"{file} has {file.stat().st_size >> 20} MB, far more than a pixelNeRF checkpoint: {advice}.")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and hostile files make the reader raise whatever they stumble over
        raise InputError(f"{file} cannot be read, it is truncated or no checkpoint of tensors: {advice}.") from error
    if not isinstance(state, dict) or not state:
        raise InputError(f"{file} holds a {type(state).__name__} and no state dict: {advice}.")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()):
        raise InputError(f"{file} holds more than named tensors: {advice}.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _require_fit(found: dict[str, Tensor], wanted: dict[str, Tensor], file: Path, label: str) -> None:
    advice = f"choose the configuration that it was trained with (--config, one of {', '.join(NAMES)})"
    missing = [name for name in wanted if name not in found and not _may_miss(name)]
    if missing:
        raise InputError(f"{file} does not fit {label}, it lacks {len(missing)} tensors like {missing[0]!r}: {advice}.")
    extra = [name for name in found if name not in wanted and not _may_be_left_out(name)]
    if extra:
        raise InputError(f"{file} does not fit {label}, it has {len(extra)} more tensors like {extra[0]!r}: {advice}.")
    for name in wanted.keys() & found.keys():
        tensor, place = found[name], wanted[name]
        if tensor.shape != place.shape:
            shapes = f"{tuple(tensor.shape)} and not {tuple(place.shape)}"
            raise InputError(f"{file} does not fit {label}, its {name!r} is {shapes}: {advice}.")
        if tensor.is_floating_point() != place.is_floating_point() or tensor.is_complex():
            raise InputError(f"{file} is damaged, its {name!r} holds {tensor.dtype}: get the file again.")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{file} is damaged, its {name!r} holds values that are not finite: get the file again.")
    _require_code(found, wanted, file, label, advice)


def _require_code(found: dict[str, Tensor], wanted: dict[str, Tensor], file: Path, label: str, advice: str) -> None:
    """The frequencies of the encoding are in the file: others belong to another configuration."""
    for name in ("code._freqs", "code._phases"):
        if name in wanted and not torch.allclose(found[name].to(wanted[name]), wanted[name], rtol=1e-4, atol=1e-4):
            raise InputError(f"{file} does not fit {label}, its {name!r} has other values: {advice}.")


def _may_miss(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _may_be_left_out(name: str) -> bool:
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
