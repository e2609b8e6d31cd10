"""Where networks compute: the word of an option as a device, and modules and values brought there.

A method's networks lie on one device, and what they are given is brought there; what a method gives back answers on the
device of the points or rays that it is asked for, so that meshes, pictures and files are made on the CPU as ever.
Generators stay on the CPU, and what is drawn is brought over: the draws are the same on every device.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .computing import WORDS
from .errors import InputError

CPU = torch.device("cpu")
Module = TypeVar("Module", bound=nn.Module)
_COPIES: WeakKeyDictionary[nn.Module, dict[torch.device, nn.Module]] = WeakKeyDictionary()


def there_are() -> tuple[str, ...]:
    """The kinds of devices that this machine can compute on, the fastest first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, available in found.items() if available)


def device_named(word: str) -> torch.device:
    """The device that a word asks for: "auto" is cuda where there is one, else mps, else the CPU.

    Raises:
        InputError: there is no such word, or no such device here.
    """
    if word not in WORDS:
        raise InputError(f"--device is {word!r}; choose one of {', '.join(WORDS)}.")
    found = there_are()
    if word == "auto":
        return torch.device(found[0])
    if word not in found:
        raise InputError(f"--device is {word}, which is not there: this machine computes on {' or '.join(found)}.")
    return torch.device(word)


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter or buffer; the CPU where it has none."""
    for values in (module.parameters(), module.buffers()):
        for value in values:
            return value.device
    return CPU


def full_precision(values: Tensor) -> AbstractContextManager[object]:
    """Within it nothing is computed coarser on the device of `values`, whatever autocast is around it."""
    kind = values.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def on_device(module: Module, device: torch.device) -> Module:
    """The module where it is on the device already, else a copy there, which is kept as long as the module is.

    The module itself stays as it is: others may share it.
    """
    if device_of(module) == device:
        return module
    copies = _COPIES.setdefault(module, {})
    if device not in copies:
        with torch.inference_mode(False):
            copies[device] = copy.deepcopy(module).to(device)
    return copies[device]  # type: ignore[return-value]


def to_device(value: Any, device: torch.device) -> Any:
    """A value with its tensors on `device`: in lists, tuples, dicts, dataclasses, and what has a method `to`."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=device != CPU)
    if isinstance(value, dict):
        return {key: to_device(item, device) for key, item in value.items()}
    if isinstance(value, list):
        return [to_device(item, device) for item in value]
    if isinstance(value, tuple):
        items = [to_device(item, device) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if callable(getattr(value, "to", None)):
        return value.to(device)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        values = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return dataclasses.replace(value, **to_device(values, device))
    return value


def hosted(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The function with its arguments brought to `device`, and what it gives to where its first tensor came from."""

    def call(*given: Any, **named: Any) -> Any:
        first = next((one for one in given if isinstance(one, Tensor)), None)
        back = CPU if first is None else first.device
        return to_device(function(*to_device(given, device), **to_device(named, device)), back)

    return call
