"""Published weights: safetensors in half precision, the configuration, and a card."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..computing import is_offline, require_network
from ..errors import InputError
from ..inputs import read_json_value
from ..inputs.tensors import read_tensors, tensor_shapes
from ..outputs import Kind, atomic_folder
from ..renamed import current_names
from ..text import printable
from .checkpoint import load_checkpoint, require_same_shapes
from .options import TrainResult

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
OWN = frozenset({WEIGHTS, CARD, "transforms.json", "held_out.json", "held_out.md", "pose_errors.json"})
PICTURES = frozenset({"held_out"})
TRAINED, CONVERTED = "train", "convert"
FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)
BEYOND, SPARE = 4, 1 << 26  # a model may be made of so many times the numbers that its file holds, and some more
HUB = "hub:"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
Config = TypeVar("Config")
Module = TypeVar("Module", bound=nn.Module)


def save_pretrained(
    module: nn.Module, config: Any, folder: str | Path, *, card: str, writer: str = TRAINED, exact: bool = False
) -> Path:
    """Write a module to a folder that takes the place of one before: weights, config.json, README.md.

    Floating tensors are stored in half precision; those with values beyond its range (65504) stay as they are.

    Args:
        config: the dataclass from which the module was built, of plain values.
        card: what README.md says: data, licence, credits, metrics, failure cases.
        writer: who writes; only a folder of the same writer is replaced.
        exact: keep every number as it is.

    Raises:
        InputError: the card is empty, a weight is not finite, or what lies in `folder` may not be replaced.
        WriteError: the folder cannot be written.
    """
    from safetensors.torch import save

    if not card.strip():
        raise InputError("Weights need a card that tells their data, licence and credits: it is empty.")
    tensors = {name: _stored(name, tensor, exact) for name, tensor in module.state_dict().items()}
    with atomic_folder(folder, weights_kind(writer)) as temporary:
        content = {"architecture": type(module).__name__, "config": dataclasses.asdict(config), "writer": writer}
        (temporary / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        (temporary / CARD).write_text(card.strip() + "\n", encoding="utf-8")
        (temporary / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
    return Path(folder)


def weights_kind(writer: str) -> Kind:
    """Folders of weights by one writer; those that do not say whose they are count as trained."""
    return Kind(
        f"folder of weights by monoform {writer}",
        CONFIG,
        lambda record: OWN if "architecture" in record and record.get("writer", TRAINED) == writer else None,
        pictures=PICTURES,
    )


def publish(
    module: nn.Module,
    config: Any,
    result: TrainResult,
    folder: str | Path,
    *,
    card: str,
    part: nn.Module | None = None,
) -> None:
    """Write a training's last weights, averaged where it averaged them, as `save_pretrained` does.

    Of several processes only the first writes.

    Args:
        module: that was trained.
        part: of it that is written; None for all.
    """
    averaged = load_checkpoint(result.checkpoint).ema
    if averaged is not None:
        module.load_state_dict({**module.state_dict(), **averaged})
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        save_pretrained(module if part is None else part, config, folder, card=card)


def load_pretrained(
    build: Callable[[Config], Module],
    config_class: type[Config],
    source: str | Path,
    *,
    revision: str | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Module, Config]:
    """A module in evaluation mode with the weights of a folder, and its configuration.

    Args:
        build: makes the module from its configuration.
        config_class: the dataclass that `save_pretrained` was given.
        source: a local folder, or hub:OWNER/NAME of the Hugging Face hub.
        revision: of a hub repository: branch, tag or commit.

    Raises:
        InputError: the source is not there, damaged, or of another architecture.
    """
    folder = local_folder(source, revision=revision)
    config = _read_config(folder / CONFIG, config_class, _architectures(build))
    shapes = tensor_shapes(folder / WEIGHTS, missing=missing_weights(folder))
    held = sum(tensor.numel() for tensor in shapes.values())
    try:
        with _Limit(BEYOND * held + SPARE, folder / WEIGHTS):
            module = build(config)
    except InputError:
        raise
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise InputError(f"{folder / CONFIG} describes no model that can be built: {error}") from error
    wanted = module.state_dict()
    require_same_shapes(shapes, wanted, folder / WEIGHTS)
    found = _read_tensors(folder / WEIGHTS, wanted)
    module.load_state_dict(found)  # a module may have more to do with its state than to copy it
    return module.to(device).eval(), config


@lru_cache(maxsize=8)
def pretrained(build: Callable[[Config], Module], config_class: type[Config], source: str) -> Module:
    """The module of `load_pretrained` on the CPU, loaded once and shared: its weights ask for no gradients, and stay.

    Raises:
        InputError: as `load_pretrained`.
    """
    with torch.inference_mode(False):
        return load_pretrained(build, config_class, source)[0].requires_grad_(False)


def architecture_of(source: str | Path) -> str:
    """Name of the network's class whose weights a folder holds, or hub:OWNER/NAME; "" where it is not said.

    Raises:
        InputError: there are none, or what says so is damaged.
    """
    folder = local_folder(source)
    content = read_json_value(folder / CONFIG, advice="get the weights again", missing=missing_weights(folder))
    found = content.get("architecture") if isinstance(content, dict) else None
    return found if isinstance(found, str) else ""


def missing_weights(folder: Path) -> str:
    """What is told of a folder without weights; those of folders in it, as of a training or a category, are named."""
    within = sorted(printable(each.parent.name) for each in folder.glob(f"*/{CONFIG}"))
    where = (
        f"; its folder {', '.join(within)} does: give that"
        if len(within) == 1
        else f"; its folders {', '.join(within)} do: give one"
    )
    return "the folder holds no weights" + (where if within else "")


def weights_digest(source: str | Path) -> str:
    """SHA-256 of the file of a folder of weights, or of OWNER/NAME on the hub.

    Raises:
        InputError: there is none.
    """
    return hashlib.sha256((local_folder(source) / WEIGHTS).read_bytes()).hexdigest()


def _stored(name: str, tensor: Tensor, exact: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor.clone()
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"The weight {name!r} is not finite: such a model is not saved.")
    if exact:
        return tensor.clone()
    half = tensor.to(torch.float16, copy=True)
    return half if bool(torch.isfinite(half).all()) else tensor.clone()


def local_folder(
    source: str | Path,
    *,
    revision: str | None = None,
    files: Sequence[str] = (WEIGHTS, CONFIG, CARD),
    published: Collection[str] = (),
    advice: str = "",
) -> Path:
    """The folder of weights: the one that was given, or a copy of what hub:OWNER/NAME holds, fetched once.

    A path that is not there is never asked of the hub: the prefix or a revision tells a repository, or it is known by
    name.

    Args:
        revision: of a hub repository: branch, tag or commit.
        published: OWNER/NAME of repositories that need no prefix.
        files: of it that are fetched, the first the one without which there are no weights.
        advice: what else can be done, as a clause.

    Raises:
        InputError: there is no such folder, and none can be had from the hub.
    """
    folder, otherwise = Path(source), f": {advice}" if advice else ""
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise InputError(f"The weights {source} are a file: give the folder that holds {WEIGHTS} and {CONFIG}.")
    repository = str(source).removeprefix(HUB)
    if not _HUB_ID.fullmatch(repository) or (
        repository == str(source) and repository not in published and revision is None
    ):
        raise InputError(
            f"There are no weights at {source}: give a folder that exists, or {HUB}OWNER/NAME for weights on the "
            f"Hugging Face hub{otherwise}."
        )
    from huggingface_hub import snapshot_download

    offline: dict[str, Any] = {"local_files_only": True} if is_offline() else {}
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(files), **offline))
    except Exception as error:  # the hub, the network and the disk each have their own
        if offline:
            require_network(f"{files[0]} of {repository}", advice or "give a folder that holds it")
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"The weights {repository} cannot be had from the hub: {reason}" + (f" ({advice})." if advice else "")
        ) from error


def _read_tensors(path: Path, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file; names and shapes are compared before any is read."""
    tensors = read_tensors(path, missing=missing_weights(path.parent))
    require_same_shapes(tensors, wanted, path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise InputError(f"{path} is of another architecture: {name!r} is {tensor.dtype} in it.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{path} is damaged: {name!r} holds values that are not finite.")
    return tensors


def _read_config(path: Path, config_class: type[Config], architectures: tuple[str, ...]) -> Config:
    content = read_json_value(path, advice="get the weights again", missing=missing_weights(path.parent))
    values = content.get("config") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise InputError(f"{path} cannot be read: it is no configuration of weights.")
    stored = content.get("architecture")
    if isinstance(stored, str) and architectures and stored not in architectures:
        raise InputError(f"{path} is of the architecture {stored[:60]!r}; {' or '.join(architectures)} is needed here.")
    return _build_config(config_class, values, path)


class _Limit(TorchFunctionMode):
    """A model that asks for far more numbers than its file holds is refused before it has them.

    Building on the meta device would tell as much, but loads PyTorch's compiler: a second of every command.
    """

    def __init__(self, most: int, path: Path) -> None:
        super().__init__()
        self.left, self.path = most, path

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FACTORIES:
            size = kwargs.get("size", args[:1] if args and isinstance(args[0], (tuple, list)) else args)
            size = size[0] if size and isinstance(size[0], (tuple, list)) else size
            self.left -= math.prod(max(0, int(side)) for side in size)
        elif func is torch.arange:
            self.left -= max((abs(int(end)) for end in args), default=0)
        if self.left < 0:
            raise InputError(f"{self.path} is of another architecture: it holds fewer numbers than {CONFIG} asks for.")
        return func(*args, **kwargs)


def _architectures(build: Callable[..., nn.Module]) -> tuple[str, ...]:
    """Names of the classes that a builder makes; none where it does not say."""
    made = build if isinstance(build, type) else typing.get_type_hints(build).get("return")
    kinds = typing.get_args(made) or (made,)
    return tuple(kind.__name__ for kind in kinds if isinstance(kind, type) and kind is not nn.Module)


def _build_config(kind: Any, values: Any, path: Path) -> Any:
    """A dataclass from plain values, with every name and type checked."""
    values, hints = current_names(kind, values), typing.get_type_hints(kind)
    names = [item.name for item in dataclasses.fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise InputError(f"{path} has an option {unknown[0]!r} that {kind.__name__} does not have.")
    given = {name: _value(hints[name], value, name, path) for name, value in values.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _value(kind: Any, value: Any, name: str, path: Path) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _build_config(kind, value, path)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        fitting = [part for part in parts if _fits(part, value)]
        if fitting:
            return _value(fitting[0], value, name, path)
    elif origin is tuple and isinstance(value, list):
        kinds = parts[:1] * len(value) if parts[1:] == (...,) else parts
        if len(kinds) == len(value):
            return tuple(_value(part, item, name, path) for part, item in zip(kinds, value, strict=True))
    elif _fits(kind, value):
        return float(value) if kind is float else value
    literal = origin is typing.Literal
    known = f"known are {', '.join(map(str, parts))}" if literal else f"it must be of {getattr(kind, '__name__', kind)}"
    raise InputError(f"{path} says {name} = {json.dumps(value)[:60]}; {known}.")


def _fits(kind: Any, value: Any) -> bool:
    if kind is Any:
        return True
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return value in typing.get_args(kind)
    if origin is tuple:
        return isinstance(value, list)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, dict)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or kind)
