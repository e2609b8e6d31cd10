"""Stand-ins for the reconstruction that a worker of the queue does: quick, slow, or ending badly."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from monoform.app.queue import Task
from monoform.app.queue.worker import ARCHIVE, RESULT, Answer, pack
from monoform.errors import InputError
from monoform.progress import work


def digest(task: Task) -> Answer:
    """A result that tells which photo it was made of."""
    place = Path(RESULT) / task.name
    place.mkdir(parents=True)
    (place / "result.json").write_text(hashlib.sha256(Path(task.photo).read_bytes()).hexdigest())
    pack(place, Path(ARCHIVE))
    return {"status": "done", "seconds": 0.0, "faces": task.options.faces}


def by_name(task: Task) -> Answer:
    """What the photo's name says."""
    if task.name == "slow":
        with work("counting sheep", 4, unit="sheep") as show:
            for number in range(400):
                show(min(3, 1 + number // 2))
                time.sleep(0.1)
    if task.name == "killed":
        os.kill(os.getpid(), 9)
    if task.name == "refused":
        raise InputError("There is nothing to be seen.")
    if task.name == "broken":
        raise RuntimeError("what only the author understands")
    if task.name == "large":
        raise MemoryError
    return digest(task)
