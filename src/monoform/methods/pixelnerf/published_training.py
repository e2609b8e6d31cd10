"""The folder in which a training with the authors' program keeps its state, to go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...training import Checkpoint
from .config import PixelNerfConfig
from .model import PixelNerfNet
from .published import read_published

WEIGHTS, OPTIMIZER, STEP, SEEN = "pixel_nerf_latest", "_optim", "_iter", "_renderer"
ADVICE = "give the folder of a training with the authors' program; to begin with its weights alone, convert them"


def read_training(folder: str | Path, config: PixelNerfConfig, *, rate: float) -> tuple[PixelNerfNet, Checkpoint]:
    """The network of a training, and the state that it goes on from.

    Args:
        folder: checkpoints/NAME, with pixel_nerf_latest, _optim and _iter.
        config: the network that it trains.
        rate: the learning rate that is asked for, which has to be that of the training.

    Raises:
        InputError: a file is missing or damaged, or belongs to another network or rate.
    """
    folder = Path(folder)
    net, _ = read_published(folder / WEIGHTS, config)
    told = read_checkpoint(folder / STEP, ADVICE)
    step = told.get("iter") if isinstance(told, Mapping) else None
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise InputError(f"{folder / STEP} does not say how many steps are done: {ADVICE}.")
    optimizer = _adam_state(folder / OPTIMIZER, net, rate)
    model = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    return net.train(), Checkpoint(step, model, None, {"pixelnerf": optimizer}, {})


def seen_objects(folder: str | Path, otherwise: int) -> int:
    """How many objects a training has seen, by which its numbers of samples go.

    Args:
        otherwise: where the folder has no file _renderer, which tells it.

    Raises:
        InputError: that file is damaged.
    """
    file = Path(folder) / SEEN
    if not file.exists():
        return otherwise
    told = read_checkpoint(file, ADVICE)
    seen = told.get("iter_idx") if isinstance(told, Mapping) else None
    seen = int(seen) if isinstance(seen, Tensor) and seen.numel() == 1 else seen
    if not isinstance(seen, int) or isinstance(seen, bool) or seen < 0:
        raise InputError(f"{file} does not say how many objects were seen: {ADVICE}.")
    return seen


def _adam_state(file: Path, net: PixelNerfNet, rate: float) -> dict[str, Any]:
    """Adam's moments: its parameters are numbered as the authors' network lists them, and ours in the same order."""
    content = read_checkpoint(file, ADVICE)
    groups, moments = (
        content.get(name) if isinstance(content, Mapping) else None for name in ("param_groups", "state")
    )
    parameters = list(net.parameters())
    if not isinstance(groups, list) or len(groups) != 1 or not isinstance(moments, Mapping):
        raise InputError(f"{file} is no state of Adam: {ADVICE}.")
    if groups[0].get("params") != list(range(len(parameters))):
        raise InputError(f"{file} is of a network with another number of tensors than {len(parameters)}: {ADVICE}.")
    for number, of_one in moments.items():
        shapes = {tuple(value.shape) for value in of_one.values() if isinstance(value, Tensor) and value.ndim}
        if number not in range(len(parameters)) or shapes != {tuple(parameters[number].shape)}:
            raise InputError(f"{file} has moments of another shape for tensor {number}: {ADVICE}.")
    if abs(float(groups[0].get("lr", rate)) - rate) > 1e-3 * rate:
        raise InputError(f"{file} stands at the learning rate {groups[0]['lr']:g}: give rate={groups[0]['lr']:g}.")
    return dict(content)
