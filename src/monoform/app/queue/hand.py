"""One worker process as its owner sees it: started when there is work, ended when it takes too long, replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from .worker import Perform, Task, work_for

JOBS = 200  # after which a process is replaced: what leaks in libraries goes with it
STARTING = 300.0  # seconds that a process gets to load everything
LEAVING = 3.0  # seconds that it gets to clear up
LOOK = 0.1


class Ended(Exception):
    """The job has no result; the sentence says why."""


class Hand:
    """A process that does one task after another.

    Args:
        function: that it calls with each task.
        threads: of it.
        memory: GB that it may take; 0 for no bound.
    """

    def __init__(self, function: Perform, threads: int, memory: float) -> None:
        self.function, self.threads, self.memory = function, threads, memory
        self.process: BaseProcess | None = None
        self.connection: Connection | None = None
        self.done = 0

    def run(
        self,
        folder: Path,
        task: Task,
        *,
        seconds: float,
        dropped: threading.Event,
        tell: Callable[[str, float | None], None],
    ) -> tuple[str, Any]:
        """Do a task in a folder.

        Args:
            seconds: that it may take.
            dropped: set where nobody waits for it any more.
            tell: called with what is being done, and the seconds that it still takes where they are known.

        Returns:
            "done" and what the function returned, or "failed" and a sentence.

        Raises:
            Ended: it took too long, was dropped, or its process was ended from outside.
        """
        connection = self._ready(dropped, tell)
        until, lost = time.monotonic() + seconds, False
        try:
            connection.send((str(folder), task))
            while True:
                if connection.poll(LOOK):
                    kind, found = connection.recv()
                    if kind != "doing":
                        self.done += 1
                        return kind, found
                    tell(*found)
                if dropped.is_set():
                    raise Ended("It was broken off.")
                if time.monotonic() > until:
                    raise Ended(f"It took more than {seconds:g} s, which is the limit here.")
        except (EOFError, OSError) as error:
            lost = True
            raise Ended("Its process was ended from outside: is there enough memory?") from error
        finally:
            if lost or dropped.is_set() or time.monotonic() > until or self.done >= JOBS:
                self.close()

    def close(self) -> None:
        """End the process."""
        if self.connection is not None:
            self.connection.close()
        if self.process is not None:
            self.process.terminate()
            self.process.join(LEAVING)
            if self.process.is_alive():
                self.process.kill()
                self.process.join()
            with contextlib.suppress(ValueError):
                self.process.close()
        self.process = self.connection = None

    def _ready(self, dropped: threading.Event, tell: Callable[[str, float | None], None]) -> Connection:
        if self.connection is not None and self.process is not None and self.process.is_alive():
            return self.connection
        self.close()
        tell("starting", None)
        context = _context()
        self.connection, theirs = context.Pipe()
        process = context.Process(  # type: ignore[attr-defined]
            target=work_for, args=(theirs, self.function, self.threads, self.memory), daemon=True
        )
        try:
            process.start()
        except (OSError, EOFError) as error:
            self.close()
            raise Ended("Its process could not be started.") from error
        self.process = process
        theirs.close()
        self.done = 0
        until = time.monotonic() + STARTING
        while not self.connection.poll(LOOK):
            if dropped.is_set() or not process.is_alive() or time.monotonic() > until:
                self.close()
                raise Ended("Its process could not be started.")
        try:
            self.connection.recv()
        except EOFError as error:
            self.close()
            raise Ended("Its process could not be started.") from error
        return self.connection


def _context() -> BaseContext:
    """Processes that begin in no time, copies of one that has loaded everything, where the system has such."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work_for.__module__])
    return context
