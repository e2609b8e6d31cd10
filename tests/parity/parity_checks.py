"""The table of checks, by system and kind, and the cases of a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from tests.parity.parity_case import Case

Check = Callable[[Case], None]
CHECKS: dict[tuple[str, str], Check] = {}
SURPRISE = "surprise/values"
"""An array that no check knows."""


@cache
def checked(folder: Path) -> Case:
    """A case after its check has passed, once for all tests of a session: with an array that belongs to no case."""
    case = Case.load(folder)
    case.arrays[SURPRISE] = np.zeros(3)
    CHECKS[kind_of(folder)](case)
    return case


def check(system: str, kind: str) -> Callable[[Check], Check]:
    """Enter a function into the table: it compares the arrays of a case of that system and kind."""

    def enter(function: Check) -> Check:
        assert (system, kind) not in CHECKS, f"two checks for {system} {kind}"
        CHECKS[system, kind] = function
        return function

    return enter


def case_folders(golden: Path) -> list[Path]:
    """Every folder below `golden` with a manifest or arrays, sorted."""
    found = {path.parent for name in ("manifest.json", "io.npz") for path in golden.rglob(name)}
    return sorted(found)


def kind_of(folder: Path) -> tuple[str, str]:
    """(system, kind) of a case; a manifest that cannot be read has the kind "unreadable"."""
    try:
        return folder.parent.name, str(json.loads((folder / "manifest.json").read_text())["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.parent.name, "unreadable"


def with_and_without_check(golden: Path) -> tuple[list[Path], list[Path]]:
    """Cases that are tested, unreadable ones among them so that they fail, and cases of kinds without a check."""
    folders = case_folders(golden)
    tested = [folder for folder in folders if kind_of(folder) in CHECKS or kind_of(folder)[1] == "unreadable"]
    return tested, [folder for folder in folders if folder not in tested]
