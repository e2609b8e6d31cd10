"""The words of a command line as a dataclass, and one sentence about words that do not fit it."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from math import inf
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

from ..errors import InputError
from ..ranges import LARGEST_SEED, require_finite_fields, require_range

T = TypeVar("T")
NOUNS = {int: "a whole number", float: "a number", str: "a word", Path: "a path"}

RANGES: dict[str, tuple[float, float]] = {  # of options by their fields' names, the same for every verb
    "seed": (0, LARGEST_SEED),
    "workers": (1, 1024),
    "processes": (1, 1024),
    "ray_cpus": (1, 1024),
    "frames": (0, 10_000),
    "frame": (0, 1_000_000),
    "view": (0, 1_000_000),
    "steps": (0, 1_000_000_000),
    "minutes": (0, 10_000_000),
    "rays": (1, 1_000_000),
    "starts": (1, 1000),
    "around": (1, 1000),
    "photos": (0, 1_000_000),
    "longest": (16, 4096),
    "every": (1, 1_000_000),
    "spread": (0, 180),
    "angle": (0, 180),
    "elevation": (-90, 90),
    "offset": (0, 1e6),
    "radius": (0, 1e6),
    "fps": (0.1, 240),
    "sigma": (0, 10),
    "limit": (0, 1_000_000_000),
    "nodes": (0, 1024),
    "points": (1, 10_000_000),
    "inside_points": (1, 100_000_000),
    "emd_points": (0, 8192),
    "farthest": (1, 1_000_000),
    "voxels": (8, 1024),
    "size": (4, 4096),
    "views": (1, 10_000),
    "test_views": (1, 10_000),
    "wobble": (0, 10_000),
    "between": (1, 10_000),
    "shape_resolution": (8, 1024),
    "mix": (0, LARGEST_SEED),
    "samples": (1, 16),
    "max_images": (1, 1_000_000_000),
    "procedural": (0, 1_000_000),
    "cars": (0, 1_000_000),
    "minor_scale": (1e-6, 1e6),
    "major_scale": (1e-6, 1e6),
}


def parse(kind: type[T], verb: str, words: Sequence[str], *, also: Iterable[str] = ()) -> T:
    """Words as the options of a verb; `--help` prints them and leaves.

    Of an option that takes any number of values, all count that are given, after one flag or after several.

    Args:
        kind: dataclass of the options, documented for tyro.
        verb: words before them, as in "prepare sdf".

        also: further flags that the verb knows, to be suggested.

    Raises:
        InputError: the words do not fit; the sentence says which and what does.
    """
    box, words = io.StringIO(), _gathered(kind, words)
    if any(not word or word.endswith("=") for word in words) and (fault := _fault(kind, verb, words, also)):
        raise InputError(fault)
    try:
        with contextlib.redirect_stderr(box):
            asked = tyro.cli(
                kind, prog=f"monoform {verb}", args=list(words), description=inspect.cleandoc(kind.__doc__ or "")
            )
        _require_numbers(kind, asked)
        return asked
    except SystemExit as end:
        if not end.code:
            raise
        refused = end.__context__  # by the options' own check, where that was it
    fault = _fault(kind, verb, words, also) or (str(refused) if isinstance(refused, InputError) else None)
    raise InputError(fault or _unboxed(box.getvalue(), verb))


def _gathered(kind: type, words: Sequence[str]) -> list[str]:
    """The words, all values of an option that takes any number of them after one flag."""
    open_ended = {flag: option.field.name for option in _options(kind) for flag in option.flags if option.most == inf}
    groups: list[list[str]] = []
    first: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        flag = flag if flag in open_ended else flag.replace("_", "-")
        if flag not in open_ended or not is_flag(word):
            groups.append([word])
            continue
        values = [value] if equals else []
        while not equals and rest and not is_flag(rest[0]):
            values.append(rest.pop(0))
        if open_ended[flag] not in first:
            first[open_ended[flag]] = [flag]
            groups.append(first[open_ended[flag]])
        first[open_ended[flag]] += values
    return [word for group in groups for word in group]


def _require_numbers(kind: type, asked: Any) -> None:
    """Numbers without bound would take memory or time without bound."""
    names = {option.field.name: option.flags[-1] if option.flags else option.metavar for option in _options(kind)}
    for name in names.keys() & RANGES.keys():
        value = getattr(asked, name)
        for number in value if isinstance(value, tuple) else () if value is None else (value,):
            if isinstance(number, (int, float)):
                require_range(names[name], number, *RANGES[name])
    require_finite_fields(asked, names)


def flags_of(kind: type) -> set[str]:
    """What the options of a dataclass are called on the command line."""
    return {flag for option in _options(kind) for flag in option.flags} | {"-h", "--help"}


def choose(word: str, known: Iterable[str], sentence: str) -> InputError:
    """An error about a word that is none of those known, with the nearest of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return InputError(f"{sentence}: {f'did you mean {near[0]}?' if near else f'choose one of {_listed(known)}.'}")


@dataclass(frozen=True)
class _Option:
    """A field of the options: its flags (none where it is positional), how many values it takes, of which type."""

    field: Field
    flags: tuple[str, ...]
    types: tuple[Any, ...]
    least: int
    most: float
    metavar: str
    read: Callable[[list[str]], object] | None = None  # of a type with words of its own

    @property
    def required(self) -> bool:
        return self.field.default is MISSING and self.field.default_factory is MISSING and self.least > 0

    def fault(self, name: str, values: Sequence[str]) -> str | None:
        """What is wrong with the values that follow it; `name` is what it was called by."""
        if len(values) < self.least:
            wanted = f"{self.least} values, {self.metavar}" if self.least > 1 else f"a value, {_noun(self.types[0])}"
            return f"{name} needs {wanted}."
        if self.read is not None:
            try:
                self.read(list(values))
            except ValueError as error:
                return f"{name} {error}"
            return None
        return _misfit(name, values, self.types)


def _misfit(name: str, values: Sequence[str], types: Sequence[Any]) -> str | None:
    for number, value in enumerate(values):
        kind = types[min(number, len(types) - 1)]
        if not _fits(value, kind):
            return f"{name} is {value!r}: give {_noun(kind)}."
    return None


def value_shape(hint: Any) -> tuple[tuple[Any, ...], int, float]:
    """Types of the values that a type asks for, and how many there are at least and at most."""
    return _shape(hint, named=False)


def value_fault(hint: Any, name: str, values: Sequence[str]) -> str | None:
    """What is wrong with values for an option of a type; `name` is what it was called by."""
    types, least, most = value_shape(hint)
    if not least <= len(values) <= most:
        return f"{name} is {' '.join(values)!r}: give {least} values, parted by spaces."
    return _misfit(name, values, types)


def _fault(kind: type, verb: str, words: Sequence[str], also: Iterable[str] = ()) -> str | None:
    """The first thing that is wrong with the words: an unknown option, a value, a missing option, a word too many."""
    options = _options(kind)
    by_flag = {flag: option for option in options for flag in option.flags}
    given, loose = set(), []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not is_flag(word):
            loose.append(word)
            continue
        flag, equals, value = word.partition("=")
        flag = flag if flag in by_flag else flag.replace("_", "-")
        if flag not in by_flag:
            return _unknown(flag, {*by_flag, *also}, verb)
        option = by_flag[flag]
        values = [value] if equals else []
        while not equals and index < len(words) and len(values) < option.most and not is_flag(words[index]):
            values.append(words[index])
            index += 1
        fault = option.fault(flag, values)
        if fault:
            return fault
        given.add(option.field.name)
    positional = [option for option in options if not option.flags]
    for option in positional:
        taken, loose = _taken(loose, option)
        fault = option.fault(option.metavar, taken) if taken else None
        if fault:
            return fault
        given |= {option.field.name} if taken else set()
    missing = [option for option in options if option.required and option.field.name not in given]
    if missing:
        return f"{verb} needs {_listed([_shown(option) for option in missing], 'and')}; {_help(verb)}"
    if loose:
        return f"{loose[0]!r} is one word too many: {_help(verb)}"
    return None


def _taken(words: list[str], option: _Option) -> tuple[list[str], list[str]]:
    count = len(words) if option.most == inf else int(option.most)
    return words[:count], words[count:]


def _options(kind: type) -> list[_Option]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for item in fields(kind):
        hint, positional, named, aliases, metavar = hints[item.name], False, item.name, (), ""
        read = None
        if get_origin(hint) is Annotated:
            for mark in get_args(hint)[1:]:
                positional = positional or mark is tyro.conf.Positional
                named = getattr(mark, "name", None) or named
                aliases = getattr(mark, "aliases", None) or aliases
                metavar = getattr(mark, "metavar", None) or metavar
                read = getattr(mark, "instance_from_str", None) or read
            hint = get_args(hint)[0]
        dashed = named.replace("_", "-")
        flags: tuple[str, ...] = () if positional else (*aliases, f"--{dashed}")
        types, least, most = _shape(hint, named=not positional)
        if bool in types and not positional:
            flags = (f"--no-{dashed}", *flags)
        metavar = metavar or ("PATH" if types == (Path,) else named.upper())
        types = (Path,) if metavar == "DIR" and types == (str,) else types  # a folder that may be an address, too
        found.append(_Option(item, flags, types, least, most, metavar, read))
    return found


def _shape(hint: Any, *, named: bool) -> tuple[tuple[Any, ...], int, float]:
    """Types of the values that a hint asks for, and how many there are at least and at most."""
    if get_origin(hint) in (Union, UnionType):
        choices = [part for part in get_args(hint) if part is not NoneType]
        if len(choices) > 1:
            return (str,), 1, 1  # whatever it is, tyro finds the part that fits
        hint = choices[0]
    if hint is bool and named:
        return (bool,), 0, 0
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        return ((parts[0],), 0, inf) if parts[-1] is Ellipsis else (parts, len(parts), len(parts))
    return (hint,), 1, 1


def _fits(value: str, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in map(str, get_args(kind))
    if kind in (int, float):
        try:
            kind(value)
        except ValueError:
            return False
    return kind is not Path or value != ""  # an empty path would be the current folder


def _noun(kind: Any) -> str:
    return _listed([str(value) for value in get_args(kind)]) if get_origin(kind) is Literal else NOUNS.get(kind, "one")


def is_flag(word: str) -> bool:
    """Whether a word is an option: -1 and -.5 are numbers, - alone is a word."""
    return re.match(r"-[^\d.]", word) is not None


def _unknown(flag: str, known: Iterable[str], verb: str) -> str:
    # -mask and --mask, -output and --out: how many dashes there are is no part of the name.
    names = {name.lstrip("-"): name for name in known}
    near = difflib.get_close_matches(flag.lstrip("-"), names, n=1, cutoff=0.55)
    return f"{verb} has no option {flag}{f': did you mean {names[near[0]]}?' if near else '; ' + _help(verb)}"


def _shown(option: _Option) -> str:
    flag = f"{option.flags[0]} " if option.flags else ""
    return flag + option.metavar


def _help(verb: str) -> str:
    return f"`monoform {verb} --help` lists its options."


def _listed(words: Sequence[str], last: str = "or") -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _unboxed(text: str, verb: str) -> str:
    """The first sentence inside a box, for what nobody thought of; most are words that stand in no right place."""
    lines = [line.strip("│| \t") for line in text.splitlines()[1:]]
    message = next((line for line in lines if re.search(r"\w", line)), "its options cannot be read")
    stray = re.match(r"Unrecognized options: ([^,]+)", message)
    if stray:
        return f"{stray[1]!r} stands where {verb} expects an option: {_help(verb)}"
    return f"{verb}: {message.rstrip('.')}; {_help(verb)}"
