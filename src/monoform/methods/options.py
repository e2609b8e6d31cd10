"""A method's options as text: read from the command line, explained from its configuration's docstring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..errors import InputError
from ..ranges import LARGEST_SEED, require_range
from .registry import method_class


def parse_overrides(method: str, words: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words as values of the types that the method's configuration has.

    Raises:
        InputError: a word is not NAME=VALUE, or the method has no such option, or the value has another type.
    """
    return parse_words(method_class(method).config_class, words, method)


def parse_words(kind: type, words: Sequence[str], what: str) -> dict[str, Any]:
    """NAME=VALUE words as values of the types that the fields of a dataclass have by their defaults.

    Args:
        what: whose options these are, for the error's sentence.

    Raises:
        InputError: a word is not NAME=VALUE, or there is no such option, or the value has another type.
    """
    defaults = {item.name: item.default for item in fields(kind)}
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in defaults:
            raise InputError(f"--set {word}: give NAME=VALUE with a NAME of {what}: {', '.join(defaults)}.")
        values[name] = _parse(name, text, type(defaults[name]))
    return values


def option_rows(method: str) -> list[tuple[str, str, str]]:
    """Name, default and meaning of each option of a method."""
    config = method_class(method).config_class
    start = config()
    return [(item.name, str(getattr(start, item.name)), _meaning(config, item.name)) for item in fields(config)]


def _parse(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise InputError(f"--set {name}={text}: give true or false.")
    try:
        value = kind(text)
    except ValueError as error:
        raise InputError(f"--set {name}={text}: {text!r} is no {kind.__name__}.") from error
    if isinstance(value, (int, float)):
        require_range(f"--set {name}", value, 0 if name == "seed" else -LARGEST_SEED, LARGEST_SEED)
    return value


def _meaning(config: type, name: str) -> str:
    """The text behind `name:` in the Attributes block of the configuration's docstring."""
    found = re.search(rf"^\s+{name}: (.+?)(?=^\s+\w+: |\Z)", config.__doc__ or "", re.MULTILINE | re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""
