"""NAME=VALUE words as values of a dataclass, typed as on any command line, and its options as rows of a table."""

from __future__ import annotations

import contextlib
import io
import math
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from types import NoneType
from typing import Any, get_args, get_type_hints

import tyro

from ..errors import InputError
from ..ranges import LARGEST_SEED, require_range
from ..renamed import current_name
from .options import is_flag, value_fault, value_shape

YES_AND_NO = {"true": True, "false": False}


def parse_settings(
    kind: type, words: Sequence[str], what: str, start: Any = None, *, flag: str = "--set"
) -> dict[str, Any]:
    """NAME=VALUE words as values of the types that a dataclass gives its fields.

    Several values are parted by spaces or commas; fields of a nested dataclass are named with a dot.

    Args:
        what: whose options these are, for the error's sentence.
        start: the options that hold where a word says nothing; None for the dataclass's own defaults.
        flag: before the words, for the error's sentence.

    Returns:
        Values by the names of the dataclass's own fields.

    Raises:
        InputError: a word is not NAME=VALUE, or there is no such option, or the value has another type.
    """
    start = kind() if start is None else start
    known = {name: hint for name, hint, _ in _leaves(kind, start)}
    values: dict[str, Any] = {}
    for word in words:
        old, equals, text = word.partition("=")
        name = _current(start, old)
        if name != old:
            _say_renamed(f"{flag} {old}", name)
        if not equals or name not in known:
            near = [] if name in known else _near(name, list(known))
            meant = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise InputError(f"{flag} {word}: give NAME=VALUE with a NAME of {what}: {', '.join(known)}{meant}.")
        value = _value(name, known[name], text, flag)
        if name in values and values[name] != value:
            raise InputError(
                f"{flag} {name} is given twice, as {_shown(values[name])} and as {_shown(value)}: give it once."
            )
        values[name] = value
    return _changed(start, values)


def parse_overrides(method: str, words: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words as options of a method, by name.

    Raises:
        InputError: there is no such method, or the words do not fit its options.
    """
    from ..methods import method_class

    kind = method_class(method).config_class
    named = [word for word in words if word.startswith("preset=")]
    if not named or not hasattr(kind, "preset"):
        return parse_settings(kind, words, method)
    if len(set(named)) > 1:
        raise InputError(f"--set preset is given twice, {' and '.join(named)}: give it once.")
    name = named[-1].partition("=")[2]
    left = [word for word in words if word not in named]
    return {"preset": name, **parse_settings(kind, left, method, kind.preset(name))}


def flags_of_options(kind: type) -> dict[str, tuple[str, Any]]:
    """Name and type of each option of a dataclass, by its flag."""
    return {f"--{name.replace('_', '-')}": (name, hint) for name, hint, _ in _leaves(kind, kind())}


def split_flags(kind: type, words: Sequence[str], other: Collection[str]) -> tuple[list[str], list[str]]:
    """Words of a command line: those of `--NAME VALUE` for an option of a dataclass, as NAME=VALUE; and all others.

    A name of before is taken with a line that says what it is now.

    Args:
        other: flags of the command itself, which come first.

    Raises:
        InputError: a flag has no value.
    """
    known = flags_of_options(kind)
    found, left, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if not is_flag(word):
            left.append(word)
            continue
        flag, equals, text = word.partition("=")
        flag = flag.replace("_", "-")
        no = flag.startswith("--no-") and flag not in known
        plain = flag.replace("--no-", "--", 1) if no else flag
        now = "--" + _current(kind(), plain.removeprefix("--").replace("-", "_")).replace("_", "-")
        name, hint = known.get(plain, known.get(now, ("", None)))
        if flag in other or not name or (no and hint is not bool):
            left.append(word)
            continue
        if plain not in known:
            _say_renamed(plain, now)
        if hint is bool:
            found.append(f"{name}={text if equals else 'false' if no else 'true'}")
        else:
            values = [text] if equals else []
            most = value_shape(hint)[2]
            while not equals and rest and len(values) < most and not is_flag(rest[0]):
                values.append(rest.pop(0))
            if not values:
                raise InputError(f"{flag} needs a value.")
            found.append(f"{name}={' '.join(values)}")
    return found, left


def option_rows(kind: type, start: Any = None) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each option in a dataclass; those of nested ones with a dot.

    Args:
        start: whose values; None for the defaults.
    """
    rows, start = [], kind() if start is None else start
    for name, _, value in _leaves(kind, start):
        *path, last = name.split(".")
        owner = start
        for part in path:
            owner = getattr(owner, part)
        rows.append((name, _shown(value), meaning(type(owner), last)))
    return rows


def meaning(kind: type, name: str) -> str:
    """Help text of a field: what follows `name:` in the docstring of its dataclass or of a base class."""
    for each in kind.__mro__:
        block = (each.__doc__ or "").partition("Attributes:")[2]
        found = re.search(rf"^([ \t]+){name}: (.+?)(?=^\1\w+: |^\s*$|\Z)", block, re.MULTILINE | re.DOTALL)
        if found:
            return " ".join(found.group(2).split())
    return ""


def _leaves(kind: type, start: Any, before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of each option, those of nested dataclasses in their place."""
    hints = get_type_hints(kind)
    for item in fields(kind):
        if item.metadata.get("derived"):  # what others decide is no option
            continue
        value = getattr(start, item.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _leaves(type(value), value, f"{before}{item.name}.")
        else:
            yield before + item.name, hints[item.name], value


def _near(name: str, known: list[str]) -> list[str]:
    """Names that were probably meant: those with another group before the dot, or spelled alike."""
    last = name.rpartition(".")[2]
    return [each for each in known if each.rpartition(".")[2] == last][:3] or get_close_matches(name, known)


def _current(start: Any, name: str) -> str:
    """An option's name now."""
    owner, now = start, []
    for part in name.split("."):
        now.append(current_name(type(owner), part))
        owner = getattr(owner, now[-1], None)
    return ".".join(now)


def _say_renamed(old: str, now: str) -> None:
    print(f"monoform: {old} is now {now}.", file=sys.stderr)


def _changed(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a dataclass by name, nested ones changed in one step: halfway they may not be valid together."""
    changed: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        top, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(top, {})[inner] = value
        else:
            changed[top] = value
    for top, those in nested.items():
        changed[top] = replace(getattr(owner, top), **_changed(getattr(owner, top), those))
    return changed


def _value(name: str, hint: Any, text: str, flag: str) -> Any:
    """The text as a value of the type.

    Raises:
        InputError: it is none.
    """
    flag = f"{flag} {name}"
    if NoneType in get_args(hint) and text.lower() in ("", "none"):
        return None
    if hint is bool:
        if text.lower() not in YES_AND_NO:
            raise InputError(f"{flag} is {text!r}: give true or false.")
        return YES_AND_NO[text.lower()]
    types, _, most = value_shape(hint)
    words = [text] if most == 1 else re.split(r"[\s,]+", text.strip()) if text.strip() else []
    fault = value_fault(hint, flag, words)
    if fault:
        raise InputError(fault)
    value = text if types == (str,) and most == 1 else _typed(hint, words, f"{flag} is {text!r}")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise InputError(f"{flag} is {number}; it must be a finite number.")
        if isinstance(number, (int, float)):
            require_range(flag, number, 0 if name == "seed" else -LARGEST_SEED, LARGEST_SEED)
    return value


def _typed(hint: Any, words: Sequence[str], sentence: str) -> Any:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(hint, args=list(words))
    except SystemExit as end:
        raise InputError(f"{sentence}: it fits none of the values that this option takes.") from end


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
