"""Thousands of damaged and hostile inputs: is each refused by a sentence, soon, in little memory, with nothing harmed?

    python benchmarks/robustness.py [--inputs 3000] [--kinds photo mask ...] [--seed 0] [--out FILE]

Small good inputs are made by rule and then damaged by rule (the seed tells how), option values and names are drawn, and
each goes to the command line in a process that stays, watched from outside. Prints a table by kind, and below it every
input that was not taken well; leaves 1 where there is one. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("photo", "mask", "capture", "data set", "result", "weights", "checkpoint", "mesh", "pack", "option", "name")
SHARES = {"photo": 1, "mask": 1, "capture": 4, "data set": 3, "result": 3, "weights": 1, "checkpoint": 4, "mesh": 3}
SECONDS, MEGABYTES, START = 60, 2000, 240
COLUMNS = ("inputs", "refused", "taken", "tracebacks", "hangs", "ended", "above 2 GB", "harmed", "left behind")
BAD = COLUMNS[3:]


@dataclass
class Found:
    """What became of the inputs: counts by kind, and the answers that were not good."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    bad: list[dict[str, Any]] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    def add(self, answer: dict[str, Any]) -> None:
        """Count an answer of the worker."""
        kind, verdict = answer["kind"], verdicts(answer)
        counts = self.counts.setdefault(kind, Counter())
        counts["inputs"] += 1
        counts.update(verdict)
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), answer.get("seconds", SECONDS))
        if set(verdict) & set(BAD):
            self.bad.append(answer | {"verdict": verdict})

    def table(self) -> str:
        """Markdown, a line a kind."""
        lines = [f"| kind | {' | '.join(COLUMNS)} | slowest, s |", f"|---|{'---|' * (len(COLUMNS) + 1)}"]
        total: Counter[str] = Counter()
        for kind, counts in self.counts.items():
            total.update(counts)
            numbers = " | ".join(str(counts[name]) for name in COLUMNS)
            lines.append(f"| {kind} | {numbers} | {self.slowest[kind]:.1f} |")
        numbers = " | ".join(str(total[name]) for name in COLUMNS)
        return "\n".join([*lines, f"| all | {numbers} | {max(self.slowest.values(), default=0):.1f} |"])


def verdicts(answer: dict[str, Any]) -> list[str]:
    """Names of the columns that an answer belongs to."""
    if "ended" in answer:
        return [answer["ended"]]
    found = []
    if answer["fault"] or answer["code"] not in (0, 2):
        found.append("tracebacks")
    elif answer["code"] == 2:
        found.append("refused" if answer["said"].strip() else "tracebacks")
    else:
        found.append("taken")
    if answer["megabytes"] > MEGABYTES or answer["no_memory"]:
        found.append("above 2 GB")
    if answer["changed"]:
        found.append("harmed")
    if answer["left"]:
        found.append("left behind")
    return found


class Worker:
    """The process that runs the inputs, started anew after trouble."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.process: subprocess.Popen[str] | None = None

    def ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """The answer to one input, or that there was none in time."""
        if self.process is None:
            self.start()
        process = self.process
        assert process is not None and process.stdin is not None
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        answer = self.line(SECONDS)
        if answer is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
            hang = process.poll() is None
            self.stop()
            return wanted | {"ended": "hangs" if hang else "ended"}
        return answer

    def start(self) -> None:
        """A fresh process, once it has made the good inputs."""
        words = [sys.executable, "-m", "benchmarks.fuzz.worker", str(self.work), str(MEGABYTES)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        root = Path(__file__).parent.parent
        self.process = subprocess.Popen(
            words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        if self.line(START) is None:
            raise SystemExit("The worker did not start.")

    def line(self, seconds: float) -> dict[str, Any] | None:
        """Its next answer."""
        assert self.process is not None and self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        text = self.process.stdout.readline() if ready else ""
        return json.loads(text) if text else None

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def fuzz(inputs: int, kinds: tuple[str, ...], seed: int, work: Path) -> Found:
    """Try so many inputs, the kinds by their shares."""
    worker, found = Worker(work), Found()
    shares = {kind: SHARES.get(kind, 3) for kind in kinds}
    try:
        require_good_ones(worker, kinds)
        for kind, share in shares.items():
            for number in range(max(1, round(inputs * share / sum(shares.values())))):
                found.add(worker.ask({"kind": kind, "seed": f"{seed}/{number}"}))
    finally:
        worker.stop()
    return found


def require_good_ones(worker: Worker, kinds: tuple[str, ...]) -> None:
    """Inputs that are not damaged are taken, or the figures would tell nothing."""
    for kind in kinds:
        for number in range(3 if kind not in ("option", "name") else 0):
            answer = worker.ask({"kind": kind, "seed": str(number), "good": True})
            if answer.get("code") != 0 or answer.get("fault"):
                raise SystemExit(f"A good {kind} is not taken: {answer}")


def main() -> None:
    """Read the options, try the inputs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=3000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write all that was not taken well here, as JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = fuzz(asked.inputs, tuple(asked.kinds), asked.seed, Path(work) / "work")
    print(found.table())
    for answer in found.bad[:40]:
        last = (answer.get("fault") or answer.get("said") or "").strip().splitlines()[-1:]
        print(f"- {answer['kind']} {answer['seed']}: {', '.join(answer['verdict'])}: {' '.join(last)[:200]}")
    if asked.out:
        asked.out.write_text(json.dumps(found.bad, indent=1))
    sys.exit(1 if found.bad else 0)


if __name__ == "__main__":
    main()
