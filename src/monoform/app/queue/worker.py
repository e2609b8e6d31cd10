"""A process that reconstructs one photo after another for the one that started it, and tells how far it is."""

from __future__ import annotations

import os
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...inputs.download import download
from ...inputs.pictures import picture_size
from ...interrupts import listen, on_signals
from ...jobs.batch import Item, run_one
from ...jobs.reconstruct_options import ReconstructOptions
from ...memory import ran_out
from ...outputs import atomic_file
from ...progress import Work, told_to
from ...workers import end_with_parent
from ..report import write_report

LOOK = 0.2  # seconds between two looks at how far the work is
ARCHIVE = "result.zip"
RESULT = "result"  # in a job's folder, what holds the folder that is named after the photo
UPLOAD, MASK = "upload", "mask"


@dataclass(frozen=True)
class Task:
    """What a worker is to do, in the folder of the job: all its paths are seen from there.

    Attributes:
        name: of the result folder.
        photo: its path.
        options: of the reconstruction.
        mask: its path, where there is one.
        url: from which the photo is fetched first, where it is not there.
        megabytes: of what is fetched, at most.
        megapixels: of what is fetched, at most.
    """

    name: str
    photo: str
    options: ReconstructOptions
    mask: str | None = None
    url: str | None = None
    megabytes: float = 32.0
    megapixels: float = 50.0


Answer = dict[str, Any]
Perform = Callable[[Task], Answer]


def perform(task: Task) -> Answer:
    """Reconstruct in the present folder, and pack the result into one file beside it.

    Returns:
        The outcome as plain values.
    """
    if task.url is not None:
        _fetch(task)
    place = Path(RESULT) / task.name
    outcome = run_one(Item(task.photo, place, task.mask), task.options, write_report)
    if outcome.status == "done":
        pack(place, Path(ARCHIVE))
    return outcome.row()


def _fetch(task: Task) -> None:
    assert task.url is not None
    data = download(task.url, limit=int(task.megabytes * 1e6), public=True)
    photo = Path(task.photo)
    photo.parent.mkdir(exist_ok=True)
    photo.write_bytes(data)
    require_pixels(photo, task.megapixels)


def require_pixels(picture: Path, megapixels: float) -> None:
    """A picture that can be read, by its head, and has at most so many pixels.

    Raises:
        InputError: it is not.
    """
    width, height = picture_size(picture)
    if width * height > megapixels * 1e6:
        raise InputError(f"{picture} is {width} x {height} pixels, and {megapixels:g} million are taken: scale it.")


def pack(folder: Path, archive: Path) -> None:
    """A folder as a zip file, uncompressed: what it holds is compressed already."""
    with atomic_file(archive) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                packed.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")


def work_for(connection: Connection, function: Perform, threads: int, memory: float) -> None:
    """What the process does: take a folder and a task, answer with how far it is and then with what came of it."""
    end_with_parent()
    _bound(memory)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with suppress(EOFError, OSError):  # nobody listens any more
        _work_on(connection, function)


def _work_on(connection: Connection, function: Perform) -> None:
    connection.send(("ready", None))
    while True:
        on_signals(_leave)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's is for the owner, who says what ends
        folder, task = connection.recv()
        listen(once=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.chdir(folder)
        with told_to(_Telling(connection)) as teller:
            try:
                answer = _answered(function, task)
            finally:
                teller.stop()
        connection.send(answer)


def _answered(function: Perform, task: Task) -> tuple[str, Any]:
    try:
        return "done", function(task)
    except InputError as error:
        return "failed", str(error)
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:  # of one photo; the next is not to suffer
        if ran_out(error):
            return "failed", "There is not enough memory for this: ask for a lower resolution or a smaller texture."
        return "failed", f"It went wrong: {type(error).__name__}."


def _bound(memory: float) -> None:
    """Let the system refuse more than so many GB of memory, where it can."""
    if memory and sys.platform == "linux":
        import resource

        most = int(memory * 1e9)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _leave(*_: object) -> None:
    os._exit(130)


class _Telling:
    """Tells the process that waits what is being done, and how long it still takes where that is known."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.stack = connection, list[Work]()
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.said: tuple[str, float | None] = ("", None)
        self.thread = threading.Thread(target=self._watch, daemon=True, name="monoform-progress")
        self.thread.start()

    def begin(self, work: Work) -> None:
        with self.lock:
            self.stack.append(work)

    def end(self, work: Work) -> None:
        with self.lock:
            self.stack = [each for each in self.stack if each is not work]

    def stop(self) -> None:
        self.ended.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.ended.wait(LOOK):
            with self.lock:
                stack = list(self.stack)
            if not stack:
                continue
            now = "; ".join(dict.fromkeys(each.sentence(spent=False) for each in (stack[0], stack[-1])))
            left = stack[-1].seconds_left()
            if (now, left) != self.said:
                self.said = now, left
                with suppress(OSError):
                    self.connection.send(("doing", self.said))
