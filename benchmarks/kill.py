"""Is anything lost when a training or a batch is killed (SIGKILL) at random moments?

    python benchmarks/kill.py [--kills 50] [--seed 0]

Each kind is killed so often, in several rounds: a round ends where the program comes to its end, and is compared with
a run that was let go. Leaves 1 where a checkpoint or a result was lost or differs, a process lived on, or a partial
folder was left after the rerun.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.killed import EVERY, Killed, killed_batch, killed_training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| what | kills | most lost | processes left | wrong | leftovers |\n|---|---|---|---|---|---|")
    bad = False
    for name, kind, most in (("training", killed_training, EVERY + 1), ("batch", killed_batch, 0)):
        rounds: list[Killed] = []
        while sum(each.kills for each in rounds) < asked.kills:
            with tempfile.TemporaryDirectory() as folder:
                left = asked.kills - sum(each.kills for each in rounds)
                rounds.append(kind(Path(folder), min(left, 10), asked.seed + len(rounds)))
        lost = max(max(each.lost, default=0) for each in rounds)
        workers = sum(each.workers_left for each in rounds)
        wrong, leftovers = sum(len(each.wrong) for each in rounds), sum(len(each.leftovers) for each in rounds)
        bad |= lost > most or bool(workers or wrong or leftovers)
        print(f"| {name} | {asked.kills} | {lost} | {workers} | {wrong} | {leftovers} |", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
