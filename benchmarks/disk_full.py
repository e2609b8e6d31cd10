"""What every writing command says on a disk that is full: one sentence with the reason, exit code 2, nothing left.

Needs the right to mount (root): each command writes to small file systems in memory, of several sizes, so that it runs
out of room at several places.

    python benchmarks/disk_full.py            # all commands
    python benchmarks/disk_full.py film train # some
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import monoform

WEIGHTS = Path(monoform.__file__).parent / "weights"
SIZES = (4, 16, 48, 128, 400, 1000)  # KiB; the first that suffices is the last that is tried
QUICK = "--method inflate --resolution 32 --faces 100 --texture 64"
REASON = "No space left on device"


def commands(data: Path) -> dict[str, str]:
    """A line for each command; {t} is the small disk."""
    return {
        "reconstruct": f"reconstruct {data}/cup.png -o {{t}}/o {QUICK} --frames 8",
        "reconstruct several": f"reconstruct {data}/cup.png {data}/mug.png -o {{t}}/o {QUICK} --frames 8 --workers 2",
        "pose": f"pose {data}/cup.png --scene {data}/results/cup -o {{t}}/o --frames 4",
        "film": f"film --data {data}/srn --weights {WEIGHTS}/pixelnerf_cars --sources 0 --frames 3 --split train"
        " --format srn -o {t}/film.mp4",
        "film, gif": f"film --data {data}/srn --weights {WEIGHTS}/pixelnerf_cars --sources 0 --frames 3 --split train"
        " --format srn -o {t}/film.gif",
        "train": f"train pixelnerf --data {data}/srn -o {{t}}/o --steps 2 --device cpu --set objects=1 rays=8 views=1",
        "convert to weights": f"convert {data}/list.tar --method list --config shapenet -o {{t}}/o",
        "convert to a file": f"convert {WEIGHTS}/list --method list -o {{t}}/list.tar",
        "evaluate pixelnerf": f"evaluate pixelnerf --data {data}/srn --weights {WEIGHTS}/pixelnerf_cars --split train"
        " --format srn --sources 0 --targets 1 -o {t}/o --depth",
        "evaluate lift": f"evaluate lift {data}/meshes --views 1 --refine 0 -o {{t}}/o",
        "prepare meshes": "prepare meshes --procedural 2 --views 2 --size 32 --points 100 --surface 50 --voxels 32"
        " --workers 1 -o {t}/o",
        "prepare renders": "prepare renders --procedural 2 --split train --views 3 --size 64 --samples 1 -o {t}/o",
        "prepare sdf": f"prepare sdf --data {data}/meshes --points 2000 --farthest 50 --voxels 32 --workers 1"
        " -o {t}/o",
        "prepare photos": f"prepare photos {data}/cup.png -o {{t}}/o",
    }


def main() -> None:
    """Run the commands, and print a table."""
    wanted = sys.argv[1:]
    print("| command | KiB | exit code | sentence with the reason | left behind |\n| --- | ---: | ---: | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        prepare(data)
        for name, line in commands(data).items():
            if not wanted or name.split()[0] in wanted or name in wanted:
                for size in SIZES:
                    if not check(name, line, size, data / "disk"):
                        break


def prepare(data: Path) -> None:
    """What the commands read."""
    rows, columns = np.mgrid[0:96, 0:128]
    image = np.zeros((96, 128, 4), np.uint8)
    image[(rows - 48) ** 2 + (columns - 64) ** 2 < 900] = (180, 90, 60, 255)
    for name in ("cup", "mug"):
        Image.fromarray(image).save(data / f"{name}.png")
    run(f"reconstruct {data}/cup.png -o {data}/results {QUICK} --frames 0")
    run(f"prepare renders --cars 1 --split train --views 3 --size 64 --samples 1 --together cars -o {data}/srn")
    run(f"convert {WEIGHTS}/list --method list -o {data}/list.tar")
    (data / "meshes").mkdir()
    monoform.Mesh.load(data / "results/cup/mesh.glb").export(data / "meshes/cup.obj")
    (data / "disk").mkdir()


def check(name: str, line: str, size: int, disk: Path) -> bool:
    """Run a line on a disk of so many KiB and print its row; False where the room sufficed."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=True)
    try:
        done = run(line.format(t=disk))
        left = [str(path.relative_to(disk)) for path in disk.rglob("*")]
    finally:
        subprocess.run(["umount", disk], check=True)
    if done.returncode == 0:
        return False
    said = [text for text in done.stderr.splitlines() if text.startswith("monoform: ")]
    fault = "Traceback" in done.stderr or len(said) != 1 or REASON not in said[0]
    told = (done.stderr.strip().splitlines() or ["nothing"])[-1] if fault else "yes"
    print(f"| {name} | {size} | {done.returncode} | {told} | {', '.join(left) or 'nothing'} |", flush=True)
    return True


def run(line: str) -> subprocess.CompletedProcess[str]:
    """Run monoform."""
    return subprocess.run(
        [sys.executable, "-m", "monoform", *line.split()], capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    main()
