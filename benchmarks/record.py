"""Run a command and keep what it measured beside what it was: benchmarks/results/NAME.json.

    python benchmarks/record.py NAME [--figures FILE.json] -- COMMAND ...

The record holds the command, the commit (and whether the tree had changes), versions, the processor, seconds, what was
printed, and the figures of a JSON file that the command has written.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--figures", type=Path, help="JSON file that the command writes")
    parser.add_argument("command", nargs="+", help="after --")
    asked = parser.parse_args()
    started = time.perf_counter()
    run = subprocess.run(asked.command, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(run.stdout)
    if run.returncode:
        sys.exit(run.returncode)
    found = record(asked.command, time.perf_counter() - started, run.stdout, asked.figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{asked.name}.json").write_text(json.dumps(found, indent=1) + "\n")


def record(command: list[str], seconds: float, printed: str, figures: Path | None) -> dict[str, Any]:
    """What is kept of a run."""
    import torch

    return {
        "command": shlex.join(command),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "printed": printed.splitlines(),
        "figures": None if figures is None else json.loads(figures.read_text()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
