"""A protocol of numbers, for tests of the loop: importable by the processes that share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monoform import InputError
from monoform.metrics.evaluation import EvaluationOptions, Protocol

NAMES = ("even/2", "odd/3", "even/4", "odd/5", "odd/7")


@dataclass(frozen=True, kw_only=True)
class SquaresOptions(EvaluationOptions):
    """What is measured."""

    power: int = 2
    refused: tuple[str, ...] = ()
    broken: str = ""


class Squares(Protocol):
    """The power of each number, written beside its scores."""

    files = r"power\.txt"
    weights = "f00d"

    def __init__(self, options: SquaresOptions) -> None:
        self.names, self.skipped, self.options = NAMES, ("odd/9: there is none.",), options

    def measure(self, number: int, folder: Path) -> Mapping[str, Any]:
        name = self.names[number]
        (folder / "power.txt").write_text("half of it")
        if name == self.options.broken:
            raise KeyboardInterrupt
        if name in self.options.refused:
            raise InputError(f"{name} is refused.")
        value = int(name[-1]) ** self.options.power
        (folder / "power.txt").write_text(str(value))
        return {"power": value, "third": value / 3}
