"""The items of a batch on the actors of Ray Data: of this machine, or of a cluster at an address."""

from __future__ import annotations

import logging
import os
import pickle
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from ..errors import InputError
from ..ranges import require_range
from ..workers import Tally
from .engines import Item, Result

TRIES = 3  # of an item whose process is ended from outside
LOST = f"Its process was ended from outside {TRIES} times: is there enough memory?"
SECONDS = 10.0  # that a cluster has to answer
STORE = 200 << 20  # bytes of memory that processes of this machine share: items are small


@dataclass(frozen=True)
class RayData:
    """Actors of Ray Data, one item at a time each; one that is ended is started again, and its item with it.

    Attributes:
        workers: actors; None: one here, on a cluster as many as its free cores and GPUs allow.
        address: of a running cluster, such as "auto" or "ray://head:10001"; "" for processes of this machine.
        cpus: cores of an actor; None: on a cluster one, here its share of all.
        gpus: of an actor.
    """

    workers: int | None = None
    address: str = ""
    cpus: int | None = None
    gpus: int = 0

    def __post_init__(self) -> None:
        _ray()
        require_range("--workers", 1 if self.workers is None else self.workers, 1, 100_000)
        require_range("--ray-cpus", 1 if self.cpus is None else self.cpus, 1, 1024)

    def __call__(
        self, function: Callable[[Item], Result], items: Sequence[Item], lost: Callable[[Item, str], Result]
    ) -> Iterator[tuple[Item, Result]]:
        """See `Engine`.

        Raises:
            InputError: there is no cluster at the address, or it lacks what an actor needs.
        """
        if not items:
            return
        ray = _ray()
        with _signals_kept(), _hushed():
            self._join(ray, len(items))
        try:
            for row in self._rows(ray, function, items):
                item, found = items[row["number"]], pickle.loads(row["found"])
                if isinstance(found, BaseException):
                    raise found
                yield item, lost(item, LOST) if found is None else found
        finally:
            ray.shutdown()

    def _join(self, ray: ModuleType, count: int) -> None:
        _require_listening(self.address)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if self.address:
                ray.init(self.address, **quiet)
            else:
                cores = min(self.workers or 1, count) * (self.cpus or 1)
                ray.init("local", num_cpus=cores, include_dashboard=False, object_store_memory=STORE, **quiet)
        except Exception as error:  # whatever its transport raises
            reason = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
            where = f"There is no Ray cluster at {self.address}" if self.address else "Ray does not start here"
            raise InputError(f"{where}: {reason}.") from error

    def _rows(self, ray: ModuleType, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[dict[str, Any]]:
        from ray.data import ActorPoolStrategy, DataContext, from_items

        context = DataContext.get_current()
        context.enable_progress_bars = False
        cpus = self.cpus or 1
        room = self._room(ray, cpus)
        workers = min(self.workers or (room if self.address else 1), room, len(items))
        threads = cpus if self.address or self.cpus else max(1, torch.get_num_threads() // workers)
        rows = [{"number": number, "item": pickle.dumps(item)} for number, item in enumerate(items)]
        made = from_items(rows, override_num_blocks=len(rows)).map(
            _Actor,
            fn_constructor_args=(function, ray.remote(num_cpus=0)(Tally).remote(), os.getcwd(), threads),
            compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
            num_cpus=cpus,
            num_gpus=self.gpus,
        )
        yield from made.iter_rows()

    def _room(self, ray: ModuleType, cpus: int) -> int:
        """How many actors there is room for.

        Raises:
            InputError: for none, which Ray would wait for.
        """
        there = ray.cluster_resources()
        room = int(there.get("CPU", 0) // cpus)
        if self.gpus:
            room = min(room, int(there.get("GPU", 0) // self.gpus))
        if room < 1:
            needed = f"{cpus} cores" + (f" and {self.gpus} GPU" if self.gpus else "")
            where = f"The Ray cluster at {self.address}" if self.address else "This machine"
            raise InputError(f"{where} has no {needed} for an actor of Ray.")
        return room


def _require_listening(address: str) -> None:
    """Look whether anyone is at HOST:PORT: Ray itself would end this process after a minute.

    Raises:
        InputError: nobody is.
    """
    place = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if place is None:
        return
    try:
        socket.create_connection((place[1].strip("[]"), int(place[2])), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"There is no Ray cluster at {address}: {error}.") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Signals act as before: Ray would end the process by its own way of SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {item: signal.getsignal(item) for item in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for item, handler in before.items():
            signal.signal(item, handler)


@contextmanager
def _hushed() -> Iterator[None]:
    """What compiled code says of its own start goes nowhere; what fails is raised."""
    try:
        stream = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # no file of the system's
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(stream), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, stream)
        os.close(kept)
        os.close(nowhere)


class _Actor:
    """The function, in a process of Ray: in the folder that paths are given from."""

    def __init__(self, function: Callable[[Any], Any], tally: Any, folder: str, threads: int) -> None:
        self.function, self.tally = function, tally
        with suppress(OSError):  # another machine may lack it, and paths be absolute or addresses
            os.chdir(folder)
        torch.set_num_threads(threads)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if _ray().get(self.tally.begin.remote(row["number"])) > TRIES:
            return {"number": row["number"], "found": pickle.dumps(None)}
        try:
            found = self.function(pickle.loads(row["item"]))
        except Exception as error:  # raised again by who waits: Ray would take it for a lost item
            found = error
        return {"number": row["number"], "found": pickle.dumps(found)}


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what fails is told by what it was asked for
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError("--engine ray needs Ray Data: pip install 'monoform[ray]'.") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
