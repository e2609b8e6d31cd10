"""The part of YAML in which published programs keep their options: names with values, indented below each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .files import read_text

LARGEST = 1 << 16  # bytes
DEEPEST = 16  # levels, and references that lead to references
_LINE = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z_][\w.-]*) *:(?: +(?P<value>.*))?$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_REFERENCE = re.compile(r"^\$\{([\w.-]+)\}$")
_WORDS = {"true": True, "false": False, "null": None, "~": None}
_ADVICE = "give the file that lies beside the published checkpoint"


def read_yaml(file: str | Path) -> dict[str, Any]:
    """The tree of a file as plain dictionaries, numbers, truth values and words; `${a.b}` is what stands at a.b.

    Lists, anchors, tags and texts of several lines are refused: no file that is read here has them.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    tree: dict[str, Any] = {}
    open_: list[tuple[int, dict[str, Any]]] = [(-1, tree)]
    waiting: tuple[int, dict[str, Any], str] | None = None
    for number, line in enumerate(read_text(file, limit=LARGEST, advice=_ADVICE).splitlines(), start=1):
        text = _without_comment(line)
        if not text or text == "---":
            continue
        found = _LINE.match(text)
        if found is None:
            raise InputError(f"{file} cannot be read, line {number} is no name with a value: {_ADVICE}.")
        indent = len(found["indent"])
        if waiting is not None and indent > waiting[0]:
            inner: dict[str, Any] = {}
            waiting[1][waiting[2]] = inner
            open_.append((indent, inner))
        while open_[-1][0] > indent:
            open_.pop()
        if len(open_) == 1:
            open_.append((indent, tree))
        if open_[-1][0] != indent or len(open_) > DEEPEST:
            raise InputError(f"{file} cannot be read, line {number} is indented by {indent}: {_ADVICE}.")
        branch, name = open_[-1][1], found["name"]
        if name in branch:
            raise InputError(f"{file} cannot be read, line {number} says {name} again: {_ADVICE}.")
        branch[name] = _scalar(found["value"] or "", file, number)
        waiting = None if found["value"] else (indent, branch, name)
    return _resolved(tree, tree, file)


def yaml_text(tree: Mapping[str, Any], indent: int = 0) -> str:
    """The text of which `read_yaml` makes the tree; words in it are plain ones."""
    lines = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            lines.append(f"{' ' * indent}{name}:\n{yaml_text(value, indent + 2)}")
        else:
            lines.append(f"{' ' * indent}{name}: {str(value).lower() if isinstance(value, bool) else value}\n")
    return "".join(lines)


def _without_comment(line: str) -> str:
    quoted = re.match(r"""^ *[\w.-]+ *: +("[^"]*"|'[^']*')\s*(#.*)?$""", line)
    return line[: quoted.end(1)] if quoted else _COMMENT.sub("", line).rstrip()


def _scalar(text: str, file: str | Path, number: int) -> Any:
    if not text:
        return None
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0] or "\\" in text:
            raise InputError(f"{file} cannot be read, line {number} has a quotation without its end: {_ADVICE}.")
        return text[1:-1]
    if text[0] in "[{&*!|>%@`":
        raise InputError(f"{file} cannot be read, line {number} has the value {text[:40]!r}: {_ADVICE}.")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _resolved(branch: Mapping[str, Any], tree: Mapping[str, Any], file: str | Path) -> dict[str, Any]:
    return {
        name: _resolved(value, tree, file) if isinstance(value, Mapping) else _referred(value, tree, file)
        for name, value in branch.items()
    }


def _referred(value: Any, tree: Mapping[str, Any], file: str | Path) -> Any:
    for _ in range(DEEPEST):
        if not isinstance(value, str) or "${" not in value:
            return value
        found, place = _REFERENCE.match(value), tree
        for part in found[1].split(".") if found else ("",):
            place = place.get(part) if isinstance(place, Mapping) else None  # type: ignore[assignment]
        if place is None or isinstance(place, Mapping):
            raise InputError(f"{file} refers to {value[:60]!r}, where no value stands: {_ADVICE}.")
        value = place
    raise InputError(f"{file} has references that lead in a circle, like {value[:60]!r}: {_ADVICE}.")
