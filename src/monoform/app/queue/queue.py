"""Jobs that wait, run and are kept for a while; nothing of them grows without bound."""

from __future__ import annotations

import secrets
import shutil
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import InputError
from ...outputs import explained_errors
from .hand import Ended, Hand
from .limits import Limits
from .worker import ARCHIVE, RESULT, Perform, Task, perform

State = Literal["waiting", "running", "done", "failed"]
REMEMBERED = 20  # durations of each method, by which the time that is left is told


class Full(Exception):
    """No more jobs are taken now.

    Attributes:
        seconds: after which it is worth trying again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"{seconds} s")
        self.seconds = seconds


class Stopped(Exception):
    """No jobs are taken any more: the service ends."""


@dataclass
class Job:
    """One photo of someone who waits.

    Attributes:
        id: by which it is asked for; nobody guesses it.
        folder: of all its files.
        task: what is to be done.
        state: of it.
        created: when it came, in seconds as `time.monotonic` counts.
        began: when a worker took it.
        ended: when it was done or had failed.
        doing: what is being done.
        left: seconds of what is being done, where that is known.
        message: why it failed, or what to look at.
        outcome: what came of it, as plain values.
        dropped: set where nobody waits for it any more.
    """

    id: str
    folder: Path
    task: Task
    state: State = "waiting"
    created: float = field(default_factory=time.monotonic)
    began: float | None = None
    ended: float | None = None
    doing: str = ""
    left: float | None = None
    message: str = ""
    outcome: dict[str, Any] | None = None
    dropped: threading.Event = field(default_factory=threading.Event)

    @property
    def result(self) -> Path:
        """The result folder."""
        return self.folder / RESULT / self.task.name

    @property
    def archive(self) -> Path:
        """The result as one zip file."""
        return self.folder / ARCHIVE

    def seconds(self) -> float:
        """Seconds that it has been running."""
        return 0.0 if self.began is None else (self.ended or time.monotonic()) - self.began


class JobQueue:
    """Takes jobs, runs them in worker processes, keeps their results for a while.

    Args:
        limits: of all of it.
        function: that a worker calls with a task, in the job's folder; it can be pickled.
        threads: of each worker.
        bounded: whether the limit on memory is set.
    """

    def __init__(
        self, limits: Limits | None = None, *, function: Perform = perform, threads: int = 1, bounded: bool = True
    ) -> None:
        self.limits, self.function, self.threads = limits or Limits(), function, threads
        self.memory = self.limits.memory if bounded else 0.0
        with explained_errors(Path(tempfile.gettempdir())):
            self.folder = Path(tempfile.mkdtemp(prefix="monoform-serve-"))
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._room = self.limits.queue
        self._times: dict[str, deque[float]] = {}
        self._changed = threading.Condition()
        self._closed = False
        count = range(self.limits.workers)
        self._threads = [threading.Thread(target=self._serve, daemon=True, name=f"monoform-worker-{n}") for n in count]
        self._threads.append(threading.Thread(target=self._sweep, daemon=True, name="monoform-sweep"))
        for thread in self._threads:
            thread.start()

    def reserve(self) -> None:
        """Take a place in the queue, before the photo is there; `release` gives it back.

        Raises:
            Full: there is none.
            Stopped: the service ends.
        """
        with self._changed:
            if self._closed:
                raise Stopped
            if self._room < 1:
                raise Full(max(1, min(600, round(self._expected(None) or 10))))
            self._room -= 1

    def release(self) -> None:
        """Give a place back."""
        with self._changed:
            self._room += 1

    def new_folder(self) -> Path:
        """An empty folder for a job's files.

        Raises:
            Stopped: the service ends.
            InputError: the disk takes no more.
        """
        if self._closed:
            raise Stopped
        with explained_errors(self.folder):
            place = self.folder / secrets.token_urlsafe(16)
            place.mkdir()
            return place

    def submit(self, folder: Path, task: Task) -> Job:
        """Let a task wait for a worker; its place in the queue has been reserved.

        Raises:
            Stopped: the service ends.
        """
        with self._changed:
            if self._closed:
                raise Stopped
            job = self._jobs[folder.name] = Job(folder.name, folder, task)
            self._waiting.append(job)
            self._changed.notify_all()  # workers and the sweeper wait for the same
            return job

    def job(self, name: str) -> Job | None:
        """The job of this id; None where there is none (any more)."""
        with self._changed:
            return self._jobs.get(name)

    def drop(self, name: str) -> bool:
        """Forget a job, its files too; one that runs is broken off. False where there is none."""
        with self._changed:
            job = self._jobs.pop(name, None)
            if job is None:
                return False
            job.dropped.set()
            running = job.state == "running"
            if job.state == "waiting":
                self._waiting.remove(job)
                self._room += 1
        if not running:
            shutil.rmtree(job.folder, ignore_errors=True)
        return True

    def waiting(self) -> int:
        """How many jobs wait."""
        with self._changed:
            return len(self._waiting)

    def position(self, job: Job) -> int | None:
        """How many jobs wait before this one; None where it does not wait."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else None

    def seconds_left(self, job: Job) -> float | None:
        """Until it is done, judged by earlier jobs of the same method; None where there are none."""
        with self._changed:
            expected = self._expected(job.task.options.method)
            if expected is None or job.state in ("done", "failed"):
                return job.left if job.state == "running" else None
            if job.state == "running":
                return max(expected - job.seconds(), job.left or 0.0)
            before = [each for each in self._jobs.values() if each.state == "running"]
            before += list(self._waiting)[: self._waiting.index(job)]
            spent = sum(each.seconds() for each in before)
            rest = sum(self._expected(each.task.options.method) or expected for each in before) - spent
            return max(0.0, rest) / self.limits.workers + expected

    def close(self) -> None:
        """Take no more, let what runs end within the grace, break off the rest, and leave nothing behind."""
        with self._changed:
            self._closed = True
            for job in self._waiting:
                job.state, job.message = "failed", "The service has stopped."
            self._waiting.clear()
            self._changed.notify_all()
        until = time.monotonic() + self.limits.grace
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._changed:
            for job in self._jobs.values():
                job.dropped.set()
        for thread in self._threads:
            thread.join(10.0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _expected(self, method: str | None) -> float | None:
        known = [seconds for name, those in self._times.items() if method in (None, name) for seconds in those]
        return statistics.median(known) if known else None

    def _serve(self) -> None:
        """One worker's jobs, until the end."""
        hand = Hand(self.function, self.threads, self.memory)
        try:
            while (job := self._next()) is not None:
                state, message, outcome = self._run(hand, job)
                with self._changed:
                    job.state, job.message, job.outcome, job.ended = state, message, outcome, time.monotonic()
                    if state == "done":
                        times = self._times.setdefault(job.task.options.method, deque(maxlen=REMEMBERED))
                        times.append(job.seconds())
                if job.dropped.is_set():
                    shutil.rmtree(job.folder, ignore_errors=True)
        finally:
            hand.close()

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            job = self._waiting.popleft()
            self._room += 1
            job.state, job.began = "running", time.monotonic()
            return job

    def _run(self, hand: Hand, job: Job) -> tuple[State, str, dict[str, Any] | None]:
        def tell(doing: str, left: float | None) -> None:
            job.doing, job.left = doing, left

        try:
            kind, found = hand.run(job.folder, job.task, seconds=self.limits.seconds, dropped=job.dropped, tell=tell)
        except Ended as ended:
            return "failed", str(ended), None
        if kind == "failed":
            return "failed", str(found), None
        state: State = "failed" if found.get("status") == "failed" else "done"
        return state, str(found.get("message") or ""), found

    def _sweep(self) -> None:
        """Forget what is finished and too old, or too many."""
        while True:
            with self._changed:
                if self._closed:
                    return
                over = sorted((each.ended, each.id) for each in self._jobs.values() if each.ended is not None)
                limit = time.monotonic() - 60.0 * self.limits.keep
                extra = len(over) - self.limits.results
                old = [name for number, (ended, name) in enumerate(over) if number < extra or ended < limit]
            for name in old:
                self.drop(name)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=min(5.0, 60.0 * self.limits.keep / 4))


def saved(folder: Path, name: str, write: Callable[[Path], object]) -> Path:
    """A file of a job's own folder, written by a function that is given its path.

    Raises:
        InputError: the disk takes no more.
    """
    place = folder / name
    with explained_errors(place):
        place.parent.mkdir(exist_ok=True)
        write(place)
    if not place.is_file():
        raise InputError(f"{name} was not written.")
    return place
