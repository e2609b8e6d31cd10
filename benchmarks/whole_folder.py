"""One photo, from a new process to the whole result folder: CPU seconds, wall time and memory, against other sources.

    python benchmarks/whole_folder.py PHOTO... [--against OTHER/src] [--rounds 3] [--threads 1]

The two take turns, so that what else runs on the machine slows both; the least of all rounds counts. CPU seconds are
those of the process and of its film encoder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src"
COMMAND = "import sys; from monoform.cli import main; sys.exit(main())"


def measured(source: Path, photo: Path, threads: int) -> dict[str, float]:
    """CPU seconds, wall seconds, peak memory in MB, and number of faces of one run."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-c", COMMAND, "reconstruct", str(photo), "-o", out]
        started = time.perf_counter()
        run = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(run.pid, 0)
        wall = time.perf_counter() - started
        if status:
            raise SystemExit(f"{source} could not reconstruct {photo}.")
        (result,) = Path(out).glob("**/result.json")
        faces = json.loads(result.read_text())["mesh"]["faces"]
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "MB": usage.ru_maxrss / 1024, "faces": faces}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    sources = {"here": HERE} | ({"against": asked.against.resolve()} if asked.against else {})
    print("| photo | source | CPU s | wall s | MB | faces |\n|---|---|---|---|---|---|")
    for photo in asked.photos:
        rounds = [
            {name: measured(each, photo, asked.threads) for name, each in sources.items()} for _ in range(asked.rounds)
        ]
        least = {name: {key: min(each[name][key] for each in rounds) for key in rounds[0][name]} for name in sources}
        for name, best in least.items():
            figures = f"{best['cpu']:.2f} | {best['wall']:.2f} | {best['MB']:.0f} | {best['faces']:.0f}"
            print(f"| {photo.stem} | {name} | {figures} |", flush=True)
        if asked.against:
            cpu, wall = (least["here"][key] / least["against"][key] for key in ("cpu", "wall"))
            print(f"| {photo.stem} | ratio | {cpu:.2f} | {wall:.2f} | | |", flush=True)


if __name__ == "__main__":
    main()
