"""What strangers may ask a method for: names, numbers and choices; never a path, nor a model to fetch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ...errors import InputError
from ...methods import method_class
from ...methods.base import Reconstructor

PLAIN = (bool, int, float, NoneType)


@dataclass(frozen=True)
class Offer:
    """The methods that may be asked for.

    Attributes:
        methods: their names, the default first.
        weights: a folder of weights for some of them.
    """

    methods: tuple[str, ...] = ("lift", "inflate")
    weights: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for name in (*self.methods, *(self.weights or {})):
            if not issubclass(method_class(name), Reconstructor):
                raise InputError(f"{name} makes no mesh of a photo: leave it out of the methods that are offered.")
        if lost := set(self.weights or {}) - set(self.methods):
            raise InputError(f"Weights are given for {min(lost)}, which is not among the methods that are offered.")

    def options(self, method: str, text: str) -> dict[str, Any]:
        """A JSON object as options of a method.

        Raises:
            InputError: the method is not offered, or it has no such option for strangers, or takes no such value.
        """
        if method not in self.methods:
            raise InputError(f"The method {method!r} is not offered here: choose one of {', '.join(self.methods)}.")
        given = _json_object(text)
        known = plain_options(method)
        for name, value in given.items():
            if name not in known:
                raise InputError(f"{method} has no option {name!r} that can be set here: {', '.join(known) or 'none'}.")
            given[name] = _value(name, known[name], value)
        weights = (self.weights or {}).get(method)
        given |= {} if weights is None else {"weights": weights}
        method_class(method).config_class(**given)  # refuses what lies out of range
        return given


def plain_options(method: str) -> dict[str, Any]:
    """Types by name of those options of a method that are numbers, choices, yes or no."""
    kind = method_class(method).config_class
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if _plain(hints[each.name])}


def described_options(method: str) -> dict[str, Any]:
    """Default by name of each of them, as JSON takes it."""
    kind = method_class(method).config_class
    defaults = {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    return {name: defaults.get(name) for name in plain_options(method)}


def _plain(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    if get_origin(hint) in (Union, UnionType):
        return all(_plain(each) for each in get_args(hint))
    return hint in PLAIN


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError("options: give a JSON object, such as {'refine': 0} with double quotes.") from error
    if not isinstance(found, dict):
        raise InputError("options: give a JSON object with the options by name.")
    return found


def _value(name: str, hint: Any, value: Any) -> Any:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        if get_origin(kind) is Literal:
            if value in [each for each in get_args(kind) if type(each) is type(value)]:
                return value
        elif kind is float and type(value) in (int, float):
            if abs(value) < 1e300 and math.isfinite(value):
                return float(value)
        elif type(value) is kind and (kind is not int or abs(value) < 2**63):
            return value
    words = " or ".join(_in_words(kind) for kind in kinds)
    raise InputError(f"options: {name} is {value!r}; it is {words}.")


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return {bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}[kind]
