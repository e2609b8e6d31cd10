"""Every mesh of a folder through load, simplify, unwrap, bake, GLB, reload, each under a hard time limit.

    python benchmarks/mesh_pipeline.py DIR --faces 2000 --limit 10 --workers 2 --report report.json

Prints a table of the outcome and every failure with its reason. Exit status: 0 all passed, 1 some failed, 3 some had
to be stopped at the limit.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, Queue
from typing import Annotated, Any

import tyro

STEPS = ("load", "simplify", "unwrap", "bake", "export", "reload")
STARTUP_LIMIT = 120.0


@dataclass(frozen=True)
class Options:
    """Which meshes, and what is asked of each."""

    folder: Annotated[Path, tyro.conf.Positional]
    """searched for .glb, .gltf, .obj, .ply and .stl files, also in its subfolders"""
    faces: int = 2000
    """triangles to simplify to"""
    limit: float = 10.0
    """seconds for one mesh; its process is ended when it takes longer"""
    resolution: int = 512
    """texels a side of the new texture"""
    workers: int = 2
    """processes at once"""
    report: Path | None = None
    """JSON file for all rows"""
    first: int | None = None
    """only so many meshes"""


class Failed(Exception):
    """A check of the pipeline did not hold."""


def check(condition: bool, reason: str) -> None:
    """Raise `Failed` with the reason unless the condition holds."""
    if not condition:
        raise Failed(reason)


def run_pipeline(path: Path, faces: int, resolution: int, folder: Path) -> dict[str, Any]:
    """One mesh through all steps; returns its figures, raises where a step or a check fails."""
    import numpy as np

    from monoform.camera import orbit
    from monoform.mesh import Mesh, bake, report, simplify, unwrap

    times: dict[str, float] = {}
    started = time.perf_counter()

    def done(step: str) -> None:
        nonlocal started
        times[step] = time.perf_counter() - started
        started = time.perf_counter()

    source = Mesh.load(path)
    done("load")
    smaller = simplify(source, faces)
    done("simplify")
    unwrapped = unwrap(smaller, resolution=resolution)
    done("unwrap")
    baked = bake.from_mesh(unwrapped, source, resolution)
    done("bake")
    camera = orbit(1, elevation=0.3, distance=2.0, fov_y=math.radians(40), width=64, height=48)
    place = baked.export(folder / "mesh.glb", camera=camera)
    done("export")
    again = Mesh.load(place)
    done("reload")
    before, after = report(source), report(again)
    check(again.uv is not None and again.texture is not None, "the reloaded file has no texture")
    assert again.uv is not None and again.texture is not None and baked.texture is not None
    check(np.array_equal(again.texture, baked.texture), "the texture changed in the file")
    check(again.uv.min() >= 0 and again.uv.max() <= 1, "texture coordinates leave 0..1")
    check(len(again.faces) == len(baked.faces), f"{len(baked.faces)} faces written, {len(again.faces)} read")
    check(after.watertight or not before.watertight, "watertight before, open after")
    if before.faces > faces:
        check(abs(len(again.faces) - faces) <= max(2, faces // 100), f"{len(again.faces)} faces instead of {faces}")
    if before.watertight:
        check(before.volume * after.volume > 0, f"volume {before.volume:g} became {after.volume:g}")
    return {
        "faces_before": before.faces,
        "faces_after": after.faces,
        "watertight_before": before.watertight,
        "watertight_after": after.watertight,
        "area_ratio": after.area / before.area if before.area > 0 else None,
        "seconds": times,
    }


def serve(pipe: Connection, faces: int, resolution: int) -> None:
    """The worker: answers each path with its outcome."""
    import monoform.camera
    import monoform.mesh  # noqa: F401  (loaded before the clock starts)

    pipe.send("ready")
    with tempfile.TemporaryDirectory() as folder:
        while (path := pipe.recv()) is not None:
            try:
                outcome = {"status": "passed", **run_pipeline(Path(path), faces, resolution, Path(folder))}
            except Exception as error:
                outcome = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
            pipe.send(outcome)


class Worker:
    """A process that is replaced when it has to be stopped or dies."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        arguments = (theirs, self._options.faces, self._options.resolution)
        self._process = self._context.Process(target=serve, args=arguments, daemon=False)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(STARTUP_LIMIT):
            self.stop()
            raise RuntimeError("a worker process did not start")
        self._pipe.recv()

    def ask(self, path: Path) -> dict[str, Any]:
        """The outcome for one mesh, after at most the limit."""
        if self._process is None:
            self._start()
        started = time.perf_counter()
        try:
            self._pipe.send(str(path))
            if self._pipe.poll(self._options.limit):
                return {**self._pipe.recv(), "total": time.perf_counter() - started}
            reason = {"status": "hung", "reason": f"stopped after {self._options.limit:g} s"}
        except (EOFError, OSError):
            reason = {"status": "crashed", "reason": f"the process died with exit code {self._process.exitcode}"}
        self.stop()
        return {**reason, "total": time.perf_counter() - started}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None


def run_all(paths: list[Path], options: Options) -> list[dict[str, Any]]:
    """All meshes, `workers` at a time, in the order of `paths`."""
    queue: Queue[int] = Queue()
    for index in range(len(paths)):
        queue.put(index)
    rows: list[dict[str, Any]] = [{} for _ in paths]

    def loop() -> None:
        worker = Worker(options)
        while True:
            try:
                index = queue.get_nowait()
            except Empty:
                worker.stop()
                return
            rows[index] = {"path": str(paths[index].relative_to(options.folder)), **worker.ask(paths[index])}
            if (len(paths) - queue.qsize()) % 100 == 0:
                print(f"{len(paths) - queue.qsize()} of {len(paths)} started", flush=True)

    with ThreadPoolExecutor(options.workers) as pool:
        for future in [pool.submit(loop) for _ in range(options.workers)]:
            future.result()
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    """Counts, times of the steps, and every failure."""
    counts = Counter(row["status"] for row in rows)
    passed = [row for row in rows if row["status"] == "passed"]
    print(f"\n{len(rows)} meshes: " + ", ".join(f"{counts[s]} {s}" for s in ("passed", "failed", "crashed", "hung")))
    if passed:
        kept = sum(row["watertight_before"] for row in passed)
        print(f"watertight before: {kept}, after: {sum(row['watertight_after'] for row in passed)}")
        print(f"\n{'step':10}{'median s':>10}{'99 % s':>10}{'largest s':>12}")
        for step in (*STEPS, "total"):
            values = sorted(row["total"] if step == "total" else row["seconds"][step] for row in passed)
            high = values[min(len(values) - 1, int(0.99 * len(values)))]
            print(f"{step:10}{statistics.median(values):10.3f}{high:10.3f}{values[-1]:12.3f}")
    for row in rows:
        if row["status"] != "passed":
            print(f"{row['status']:8} {row['path']}: {row['reason']}")


def main() -> int:
    """Run, print, write the report."""
    options = tyro.cli(Options, description=__doc__)
    suffixes = {".glb", ".gltf", ".obj", ".ply", ".stl"}
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in suffixes)[: options.first]
    if not paths:
        print(f"No mesh files in {options.folder}.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    rows = run_all(paths, options)
    print_table(rows)
    print(f"\n{time.perf_counter() - started:.0f} s in all, {options.workers} processes")
    if options.report is not None:
        from monoform.outputs import atomic_file

        with atomic_file(options.report) as temporary:
            temporary.write_text(json.dumps({"faces": options.faces, "limit": options.limit, "rows": rows}, indent=1))
    statuses = {row["status"] for row in rows}
    return 3 if "hung" in statuses else 0 if statuses == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main())
