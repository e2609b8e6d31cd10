"""One function over many items in processes, whatever finishes first is yielded first.

The processes end with the one that started them, however that ends: killed, they would keep their memory for ever.
"""

from __future__ import annotations

import ctypes
import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TypeVar

from .computing import LOG, log_from
from .errors import InputError
from .interrupts import listen, on_signals, uninterrupted

Item = TypeVar("Item")
Result = TypeVar("Result")
INTERRUPTED = 130
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


def map_unordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    threads: int = 1,
    lost: Callable[[Item], Result] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """(item, function(item)) as they are finished; with one worker in this process, in order.

    An interrupt lets the processes clear up and ends them, and is passed on.

    Args:
        threads: of each process.
        lost: the result of an item whose process was ended from outside; None: that is an error.

    Raises:
        InputError: `workers` is below 1, or a process was ended from outside.
    """
    if workers < 1:
        raise InputError(f"--workers is {workers}; it must be at least 1.")
    if workers == 1 or len(items) < 2:
        for item in items:
            yield item, function(item)
        return
    pool = _pool(min(workers, len(items)), threads)
    try:
        # A worker that is still starting cannot be interrupted cleanly: it waits until it listens.
        with uninterrupted(), _threads_each(threads):
            futures = {pool.submit(_run, function, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], _result(future, futures[future], lost)
    except BaseException:
        for process in list((pool._processes or {}).values()):
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def end_with_parent(*, at_once: bool = False) -> None:
    """End this process when the one that started it has ended, within a second or two.

    Args:
        at_once: let the system end it too (Linux), also where it is busy in compiled code; only where the thread that
            started it lives as long as its process: the system takes the thread for the parent.
    """
    if at_once and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="monoform-parent").start()


def _watch(parent: int) -> None:
    started_by = multiprocessing.parent_process()
    if started_by is not None:
        multiprocessing.connection.wait([started_by.sentinel])
    else:
        while os.getppid() == parent:
            time.sleep(1.0)
    os._exit(INTERRUPTED)


def _pool(workers: int, threads: int) -> ProcessPoolExecutor:
    lasting = threading.current_thread() is threading.main_thread()
    context = multiprocessing.get_context("spawn")
    start = functools.partial(_start, threads, lasting)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=start)


def _result(future: Future[Result], item: Item, lost: Callable[[Item], Result] | None) -> Result:
    try:
        return future.result()
    except BrokenProcessPool as error:
        if lost is None:
            raise InputError("A worker process was ended from outside: use fewer workers; a rerun goes on.") from error
        return lost(item)


class Tally:
    """How often each item was begun; kept where no item can end it, by whoever begins ended ones again for ever."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}

    def begin(self, number: int) -> int:
        """The number of this try of an item, from 1."""
        self._begun[number] = self._begun.get(number, 0) + 1
        return self._begun[number]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread meanwhile.

    Sums that threads share are rounded in an order that depends on how many there are: a result would differ from one
    number of cores, or of workers, to another.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _threads_each(threads: int) -> Iterator[None]:
    """Processes started meanwhile compute with so many threads: more would only wait for each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start(threads: int, at_once: bool) -> None:
    end_with_parent(at_once=at_once)
    log_from(os.environ.get(LOG, ""))
    on_signals(_leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


def _run(function: Callable[[Item], Result], item: Item) -> Result:
    """An interrupted worker clears its half-written folder, then ends, whatever still waits in its queue.

    The terminal interrupts it, and the parent, and a pool ends its workers once one has left: the first counts.
    """
    listen(once=True)
    try:
        return function(item)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        on_signals(_leave)
