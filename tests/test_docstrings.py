"""Docstrings of the package: one line a field, and options that are all explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import monoform

SOURCES = sorted(Path(monoform.__file__).parent.rglob("*.py"))
OPTIONS = re.compile(r"(Options|Training|Config|Protocol|Settings|Compat|Network|Sampling|Disturbance|Limits)$")


def several_a_line(text: str) -> list[str]:
    """Where one line, or the end of one, begins a second field, of all classes and functions in a module."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and (known := names_of(node)):
            one = "(?:" + "|".join(map(re.escape, known)) + ")"
            fields = re.compile(rf"^\s*{one}, {one}[^:.]*: |^\s*\w+: .*[.;] {one}: |^ +\S.*; {one}: |^{one}: ")
            lines = (ast.get_docstring(node) or "").split("\n")
            found += [f"{node.name}: {line.strip()}" for line in lines if fields.match(line)]
    return found


def names_of(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    """Fields of a class, arguments of a function."""
    if isinstance(node, ast.FunctionDef):
        return [each.arg for each in (*node.args.args, *node.args.kwonlyargs)]
    return [
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]


def unexplained(text: str) -> list[str]:
    """Fields of classes of options that have no line of their own under "Attributes", and no string below them."""
    return [
        f"{node.name}.{name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and OPTIONS.search(node.name) and node.decorator_list
        for name in fields_without_line(node)
    ]


def fields_without_line(node: ast.ClassDef) -> Iterator[str]:
    _, _, block = (ast.get_docstring(node) or "").partition("Attributes:")
    for here, below in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name):
            string = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            own = re.search(rf"^    {here.target.id}: \S", block, re.MULTILINE)
            if not (string or own or "ClassVar" in ast.unparse(here.annotation)):
                yield here.target.id


def test_a_field_has_a_line_and_an_option_is_explained() -> None:
    texts = {file: file.read_text(encoding="utf-8") for file in SOURCES}
    found = {file.name: several_a_line(text) + unexplained(text) for file, text in texts.items()}
    assert len(found) > 100
    assert {file: names for file, names in found.items() if names} == {}


CAKE = """
@dataclass
class CakeOptions:
    '''A cake.

    Attributes:
%s
    '''

    a: int
    b: int
"""


@pytest.mark.parametrize(
    "lines",
    [
        "        a: one. b: two.",
        "        a: one; b: two.",
        "        a, b: both.",
        "        a: long\n            text; b: two.",
    ],
)
def test_two_fields_on_a_line_are_seen(lines: str) -> None:
    good = CAKE % "        a: one.\n        b: two."
    assert several_a_line(good) == unexplained(good) == []
    assert several_a_line(CAKE % f"        {lines}") != []


def test_an_option_without_a_line_is_seen() -> None:
    text = CAKE % "        a: one."
    assert unexplained(text) == ["CakeOptions.b"]
    assert unexplained(text + "    '''the second.'''\n") == []
