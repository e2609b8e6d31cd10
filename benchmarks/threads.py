"""Threads beside a busy neighbor: the time of the shape step with one thread, by default, and with threads that spin.

Threads that spin while they wait for each other lose their processor to the neighbour just when the others wait for
them; by default they sleep (docs/install.md).

    python benchmarks/threads.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import numpy as np

SETTINGS = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "default": {},
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE"},
}
OURS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
RUNS, ROUNDS = 5, 3
SPIN = "while True: pass"


def main() -> None:
    """Measure in processes of their own, in turns, and print a table."""
    print("| neighbour | setting | seconds | of one thread's |\n| --- | --- | ---: | ---: |")
    for name, count in (("none", 0), ("one busy process", 1)):
        neighbors = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
        try:
            seconds: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
            for _ in range(ROUNDS):
                for setting, values in SETTINGS.items():
                    seconds[setting].append(measured(values))
        finally:
            for neighbor in neighbors:
                neighbor.kill()
        alone = statistics.median(seconds["one thread"])
        for setting, found in seconds.items():
            print(f"| {name} | {setting} | {statistics.median(found):.2f} | {statistics.median(found) / alone:.2f} |")


def measured(values: dict[str, str]) -> float:
    """Seconds of a process with these variables."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS} | values
    words = [sys.executable, __file__, "step"]
    return float(subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout)


def step() -> float:
    """Median seconds of lift's shape step on a drawn disc, after a first time."""
    import monoform

    rows, columns = np.mgrid[0:384, 0:384]
    photo = np.zeros((384, 384, 4), np.uint8)
    photo[(rows - 192) ** 2 + (columns - 192) ** 2 < 16900] = (180, 90, 60, 255)
    times = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        monoform.reconstruct(photo)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


if __name__ == "__main__":
    print(step()) if sys.argv[1:] == ["step"] else main()
