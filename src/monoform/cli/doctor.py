"""monoform doctor"""

from __future__ import annotations

from dataclasses import dataclass

from ..computing import Computing
from .options import parse


@dataclass(frozen=True)
class Doctor(Computing):
    """Show the machine and what is installed, and check that it computes right; leaves 1 where it does not."""


def read(words: list[str]) -> Doctor:
    """The options."""
    return parse(Doctor, "doctor", words)


def run(words: list[str]) -> int:
    """Print the findings."""
    asked = read(words)
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..jobs.doctor import examine
    from ..progress import work
    from .main import begin

    device = begin(asked)
    table = Table("", "check", "found", box=None)
    with work("checking what this machine computes"):
        findings = examine(device)
    for finding in findings:
        table.add_row("ok" if finding.good else "BAD", finding.name, escape(finding.found))
    Console().print(table)
    return 0 if all(finding.good for finding in findings) else 1
