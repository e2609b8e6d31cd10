"""What the engines of a batch cost: seconds of the whole command over photos that take little time each.

    python benchmarks/engines.py [--photos 16] [--workers 2] [--rounds 3]

Photos of rectangles with alpha, `--method inflate`; each command is a process of its own, so that what an engine takes
to start counts. Needs 'monoform[ray]'.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = ("--method", "inflate", "--faces", "2000", "--texture", "256", "--resolution", "96", "--frames", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    counts = (asked.workers, asked.photos)  # as few as there are workers: what it takes to start
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        photos = [drawn(place / f"photo{number}.png", number) for number in range(asked.photos)]
        seconds: dict[tuple[str, int], list[float]] = {}
        for number in range(asked.rounds):
            for engine in ("local", "ray"):
                for count in counts:
                    out = place / f"{engine}{count}round{number}"
                    took = command(photos[:count], out, engine, asked.workers)
                    seconds.setdefault((engine, count), []).append(took)
    print(f"| engine, {asked.workers} workers | {counts[0]} photos | {counts[1]} photos | each further photo |")
    print("|---|---:|---:|---:|")
    for engine in ("local", "ray"):
        few, many = (statistics.median(seconds[engine, count]) for count in counts)
        print(f"| {engine} | {few:.1f} s | {many:.1f} s | {(many - few) / (counts[1] - counts[0]):.2f} s |")


def drawn(file: Path, number: int) -> Path:
    image = np.zeros((192, 256, 4), np.uint8)
    image[40:-40, 40 : 120 + 4 * (number % 24)] = (90, 60 + number, 40, 255)
    Image.fromarray(image).save(file)
    return file


def command(photos: list[Path], out: Path, engine: str, workers: int) -> float:
    """Seconds of a batch in a new process."""
    begun = time.perf_counter()
    words = [sys.executable, "-m", "monoform", "reconstruct", *map(str, photos), "-o", str(out), *WORDS]
    subprocess.run([*words, "--engine", engine, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
