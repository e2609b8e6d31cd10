"""Names that were others before: the old ones keep working in Python, in options and in files."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_TABLE = "__renamed__"


def renamed(**names: str) -> Callable[[type[T]], type[T]]:
    """A dataclass some of whose fields had other names: they are taken as arguments and read, with a warning.

    Args:
        names: old name = name of the field now.
    """

    def decorate(kind: type[T]) -> type[T]:
        start = kind.__init__

        @functools.wraps(start)
        def initialize(self: Any, *values: Any, **given: Any) -> None:
            for old in names.keys() & given.keys():
                _warn(f"{kind.__name__}.{old}", names[old])
                given[names[old]] = given.pop(old)
            start(self, *values, **given)

        kind.__init__ = initialize  # type: ignore[method-assign]
        setattr(kind, _TABLE, {**getattr(kind, _TABLE, {}), **names})
        for old, now in names.items():
            setattr(kind, old, property(functools.partial(_read, old=old, now=now)))
        return kind

    return decorate


def current_name(kind: type, name: str) -> str:
    """What a field of a dataclass is called now; a name that never was another stays."""
    return getattr(kind, _TABLE, {}).get(name, name)


def current_names(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values by the names that the fields of a dataclass have now; a field that is given twice keeps both."""
    now = {name: current_name(kind, name) for name in values}
    return {name if now[name] in values else now[name]: value for name, value in values.items()}


def old_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module some of whose names were others: old name -> name now."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        _warn(f"{module}.{name}", names[name])
        return getattr(sys.modules[module], names[name])

    return find


def _read(owner: Any, *, old: str, now: str) -> Any:
    _warn(f"{type(owner).__name__}.{old}", now)
    return getattr(owner, now)


def _warn(old: str, now: str) -> None:
    warnings.warn(f"{old} is now {now}.", DeprecationWarning, stacklevel=3)
