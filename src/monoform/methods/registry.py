"""Finds methods by name among the installed packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from ..errors import InputError
from .base import Method, Reconstructor

GROUP = "monoform.methods"
Declared = TypeVar("Declared")


@runtime_checkable
class MethodOptions(Protocol):
    """Options of a method: any dataclass that is a method's `config_class`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def method_names() -> list[str]:
    """Names of all methods that are installed, ours and those of other packages."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def method_class(name: str) -> type[Method]:
    """The class of a method, of whatever kind.

    Raises:
        InputError: no such method is installed, or its package cannot be imported.
    """
    found: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise InputError(f"There is no method {name!r}: choose one of {', '.join(method_names())}.")
    try:
        return found[name].load()
    except ImportError as error:
        raise InputError(f"The method {name!r} is installed but cannot be imported: {error}.") from error


def every_method() -> dict[str, type[Method]]:
    """All methods by name; those that are installed but cannot be imported are left out."""
    found = {}
    for name in method_names():
        try:
            found[name] = method_class(name)
        except InputError:
            continue
    return found


def declared(what: Callable[[type[Method]], Declared | None]) -> dict[str, Declared]:
    """What the methods declare of one kind, by the methods' names; what cannot be imported is left out."""
    found = {}
    for name, method in every_method().items():
        with suppress(InputError):
            if (one := what(method)) is not None:
                found[name] = one
    return found


def chosen(method: str | MethodOptions, overrides: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options of a method that is given by its name or by its options; `overrides` take precedence.

    Raises:
        InputError: they are no method's options.
    """
    if isinstance(method, str):
        return method, dict(overrides)
    for name, one in every_method().items():
        if one.config_class is type(method):
            return name, {item.name: getattr(method, item.name) for item in fields(method)} | dict(overrides)
    raise InputError(
        f"{type(method).__name__} is no method's options: give a name, one of {', '.join(method_names())}."
    )


def create(name: str, *, device: str = "cpu", **overrides: Any) -> Reconstructor:
    """A method that reconstructs, with its default options, some of them overridden.

    Args:
        device: where its networks compute, see `monoform.devices`.

    Raises:
        InputError: no such method, one of another kind, or no such option.
    """
    if not issubclass(method_class(name), Reconstructor):
        names = [each for each in method_names() if issubclass(method_class(each), Reconstructor)]
        raise InputError(f"{name} makes no mesh of a photo: choose one of {', '.join(names)}.")
    made = make(name, device=device, **overrides)
    assert isinstance(made, Reconstructor)
    return made


def make(name: str, *, device: str = "cpu", **overrides: Any) -> Method:
    """A method of any kind, as `create`.

    Raises:
        InputError: no such method, or no such option.
    """
    chosen = method_class(name)
    kind: Any = chosen.config_class
    start = kind.preset(overrides.pop("preset")) if "preset" in overrides and hasattr(kind, "preset") else None
    known = {item.name: item.default for item in fields(chosen.config_class)}
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise InputError(f"{name} has no option {', '.join(unknown)}: it takes {', '.join(known)}.")
    values = {key: float(value) if isinstance(known[key], float) else value for key, value in overrides.items()}
    config = kind(**values) if start is None else replace(start, **values)
    return chosen(config).to(device)  # type: ignore[call-arg]
