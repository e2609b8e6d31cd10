"""Many photos, each its own object and folder: in parallel, continued where it was left, one failure alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ..atomic import uninterrupted
from ..errors import InputError
from ..inputs import name_of
from ..interrupts import listen, on_signals
from ..scene.result import read_summary
from .posed_photos import PosedPhotos, masks_of
from .reconstruct import ReconstructOptions, reconstruct_to_folder, request

Finish = Callable[[Path], object]


@dataclass(frozen=True)
class Item:
    """One object of a batch: its photo or its posed photos, its result folder, its mask or the folder of its masks."""

    photo: str | PosedPhotos
    folder: Path
    mask: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: status "done", "kept" or "failed"; `message` says why or what to look at."""

    name: str
    status: str
    message: str = ""
    seconds: float = 0.0
    iou: float | None = None
    faces: int | None = None
    watertight: bool | None = None
    components: int | None = None
    folder: str | None = None

    def row(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return asdict(self)


def plan(photos: Sequence[str], out: Path, masks: str | None = None) -> list[Item]:
    """A folder for each photo, named after it; photos of one name get numbers.

    Args:
        masks: the mask of a single photo, or a folder with NAME.png or NAME_mask.png for each photo.

    Raises:
        InputError: there is no photo, or no mask where one is asked for.
    """
    if not photos:
        raise InputError("No photo was given: name at least one file or URL.")
    items, taken = [], set()
    for photo, mask in zip(photos, _masks_for(photos, masks), strict=True):
        name = base = name_of(photo)
        number = 2
        while name.lower() in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name.lower())
        items.append(Item(photo, out / name, mask))
    return items


def _masks_for(photos: Sequence[str], masks: str | None) -> list[str | None]:
    if masks is None or Path(masks).is_dir():
        return masks_of(photos, masks)
    if len(photos) > 1:
        raise InputError(f"--mask {masks} is one mask for {len(photos)} photos: give a folder with one mask for each.")
    return [masks]


def run(
    items: Sequence[Item],
    options: ReconstructOptions,
    *,
    workers: int = 1,
    overwrite: bool = False,
    finish: Finish | None = None,
) -> Iterator[Outcome]:
    """Reconstruct every item that has no complete result yet; yield each outcome as it comes.

    Args:
        workers: processes at once; each takes the memory of a whole reconstruction.
        overwrite: reconstruct finished items anew.
    """
    if workers < 1:
        raise InputError(f"--workers is {workers}; it must be at least 1.")
    waiting = []
    for item in items:
        if not overwrite and is_complete(item, options):
            yield _kept(item)
        else:
            waiting.append(item)
    if workers == 1 or len(waiting) < 2:
        for item in waiting:
            yield run_one(item, options, finish)
    else:
        yield from _run_pool(waiting, options, min(workers, len(waiting)), finish)


def is_complete(item: Item, options: ReconstructOptions) -> bool:
    """Whether the item's folder holds a finished result, made from this photo and mask with these options."""
    try:
        summary = read_summary(item.folder)
        same = summary["request"] == request(item.photo, item.mask, options)
        return same and all((item.folder / name).is_file() for name in summary["files"])
    except (InputError, KeyError, TypeError):
        return False


def run_one(item: Item, options: ReconstructOptions, finish: Finish | None = None) -> Outcome:
    """Reconstruct one item; bad input becomes a failed outcome with its sentence."""
    start = time.perf_counter()
    try:
        saved = reconstruct_to_folder(item.photo, item.folder, mask=item.mask, options=options, finish=finish)
    except InputError as error:
        return Outcome(item.folder.name, "failed", str(error), round(time.perf_counter() - start, 2))
    seconds = round(time.perf_counter() - start, 2)
    return _outcome(item, "done", dict(saved.summary), seconds)


def _run_pool(
    items: Sequence[Item], options: ReconstructOptions, workers: int, finish: Finish | None
) -> Iterator[Outcome]:
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(threads,))
    try:
        # A worker that is still starting cannot be interrupted cleanly: it waits until it listens.
        with uninterrupted():
            futures = {pool.submit(_run_in_worker, item, options, finish): item for item in items}
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                name = futures[future].folder.name
                yield Outcome(name, "failed", "Its process was ended from outside: is there enough memory?")
    except BaseException:
        for process in list((pool._processes or {}).values()):
            if process.pid is not None:
                os.kill(process.pid, signal.SIGINT)
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _start_worker(threads: int) -> None:
    on_signals(_leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    torch.set_num_threads(threads)


def _leave(*_: object) -> None:
    os._exit(130)


def _run_in_worker(item: Item, options: ReconstructOptions, finish: Finish | None) -> Outcome:
    """An interrupted worker clears its half-written folder, then ends, whatever still waits in its queue.

    The terminal interrupts it, and the parent, and a pool ends its workers once one has left: the first counts.
    """
    listen(once=True)
    try:
        return run_one(item, options, finish)
    except KeyboardInterrupt:
        os._exit(130)
    finally:
        on_signals(_leave)


def _kept(item: Item) -> Outcome:
    return _outcome(item, "kept", read_summary(item.folder), 0.0)


def _outcome(item: Item, status: str, summary: dict[str, Any], seconds: float) -> Outcome:
    mesh, iou = summary.get("mesh") or {}, (summary.get("overlay") or {}).get("iou")
    return Outcome(
        name=item.folder.name,
        status=status,
        message=" ".join(summary.get("notices") or ()),
        seconds=seconds,
        iou=iou,
        faces=mesh.get("faces"),
        watertight=mesh.get("watertight"),
        components=mesh.get("components"),
        folder=item.folder.name,
    )
