"""Every command line of the documentation is understood: its options exist, and nothing that it needs is missing."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from monoform.cli.main import VERBS
from monoform.cli.settings import parse_overrides, parse_settings
from monoform.errors import InputError

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")), *ROOT.glob("docs/*.md")]


def lines_of(page: str) -> list[str]:
    """The commands in blocks of a shell, and whole ones in the text (those that say where they write)."""
    blocks = re.findall(r"^```(?:bash|console)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    text = "\n".join(block.replace("\\\n", " ") for block in blocks)
    found = [part for line in text.splitlines() for part in line.removeprefix("$ ").split(" && ")]
    spans = re.findall(r"`([^`]+)`", page)
    found += [span for span in spans if re.search(r" -o | --data ", span) and "..." not in span]
    commands = []
    for line in found:
        match = re.match(r"(?:\w+=\S+ )*(?:torchrun .*-m )?(monoform .*)", " ".join(line.split()))
        commands += [match[1]] if match else []
    return commands


def understood(command: str) -> None:
    """Parse a command by its verb's own parser, and the NAME=VALUE words by what they belong to."""
    verb, *words = shlex.split(command, comments=True)[1:]
    assert verb in VERBS, command
    if "--help" in words:
        return
    asked = import_module(f"monoform.cli.{verb}").read(words)
    if verb == "train":
        training, asked = asked
        parse_settings(training.options, asked.set, training.name)
    if verb == "reconstruct":
        parse_overrides(asked.method, asked.set)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page):
    for command in lines_of(page.read_text(encoding="utf-8")):
        try:
            understood(command)
        except InputError as error:
            pytest.fail(f"{page.name}: {command}: {error}")


def test_the_lines_are_found():
    assert len(lines_of((ROOT / "README.md").read_text(encoding="utf-8"))) >= 15
    assert lines_of("```console\n$ A=1 monoform doctor  # why\n$ monoform film \\\n    --data d\n```") == [
        "monoform doctor # why",
        "monoform film --data d",
    ]


@pytest.mark.parametrize(
    "command",
    [
        "monoform pose PHOTO.jpg --scene skull",
        "monoform reconstruct a.jpg -o out --faecs 3",
        "monoform reconstruct a.jpg -o out --set thikness=1",
        "monoform train scene --data d -o o --set filme=0",
        "monoform film --data cars",
    ],
)
def test_a_wrong_line_would_be_noticed(command):
    with pytest.raises(InputError):
        understood(command)
