"""Where the items of a batch are computed: in processes of this machine, or as a job array of a SLURM cluster.

An engine takes a function and items, and gives back what comes of each as it comes; another one joins by being one.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch

from ..errors import InputError
from ..interrupts import listen
from ..outputs import explained_errors
from ..ranges import require_range
from ..workers import map_unordered

Item = TypeVar("Item")
Result = TypeVar("Result")
ENDED = "Its process was ended from outside: is there enough memory?"
LARGEST_ARRAY = 1000  # jobs: what SLURM allows where nothing else is set
PAUSE = 1.0  # seconds between two looks at the jobs


@runtime_checkable
class Engine(Protocol):
    """Computes the items of a batch."""

    def __call__(
        self, function: Callable[[Item], Result], items: Sequence[Item], lost: Callable[[Item, str], Result]
    ) -> Iterator[tuple[Item, Result]]:
        """(item, function(item)) as they are finished.

        Args:
            function: of one item; it and the items can be pickled.
            lost: the result of an item that was ended from outside, or that the cluster failed on, with a sentence
                about it.
        """


@dataclass(frozen=True)
class Local:
    """Processes of this machine; the items wait in a queue for the next free one.

    Attributes:
        workers: processes at once; each takes the memory of a whole reconstruction.
    """

    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers is {self.workers}; it must be at least 1.")

    def __call__(
        self, function: Callable[[Item], Result], items: Sequence[Item], lost: Callable[[Item, str], Result]
    ) -> Iterator[tuple[Item, Result]]:
        """See `Engine`; with one worker in this process, in order."""
        threads = max(1, torch.get_num_threads() // self.workers)
        yield from map_unordered(
            function, items, workers=self.workers, threads=threads, lost=lambda item: lost(item, ENDED)
        )


@dataclass(frozen=True)
class JobOptions:
    """What a job asks the cluster for.

    Attributes:
        partition: of the cluster; "" for its own choice.
        account: that is charged; "" for the user's own.
        qos: quality of service; "" for the cluster's own.
        constraint: features that a node must have; "" for none.
        gpus: of a job.
        cpus: cores of a job.
        memory: of a job in GB; 0 for what the cluster gives.
        minutes: after which a job is broken off. It is put into the queue again, three times at most, and goes on
            where its method keeps checkpoints (`run` of realfusion).
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gpus: int = 0
    cpus: int = 8
    memory: int = 0
    minutes: int = 90

    def __post_init__(self) -> None:
        for name, least, most in (("gpus", 0, 64), ("cpus", 1, 1024), ("memory", 0, 100_000), ("minutes", 1, 100_000)):
            require_range(f"--slurm {name}", getattr(self, name), least, most)


@dataclass(frozen=True)
class Cluster:
    """A job array, one job an item, through submitit.

    This process waits for the jobs; where it is interrupted, they are canceled.

    Attributes:
        folder: that all machines see; the jobs' own files lie in a hidden folder of it, as long as they are needed.
        options: of each job.
        at_once: jobs that run at the same time, at most; None: as many as the cluster lets run.
        name: "slurm"; or "local", processes of this machine, all at once.
    """

    folder: Path
    options: JobOptions = JobOptions()
    at_once: int | None = None
    name: str = "slurm"

    def __post_init__(self) -> None:
        _submitit()
        if self.name == "slurm" and not (shutil.which("srun") and shutil.which("sbatch")):
            raise InputError("--engine slurm: there is no srun and sbatch here; start from a node of a SLURM cluster.")

    def __call__(
        self, function: Callable[[Item], Result], items: Sequence[Item], lost: Callable[[Item, str], Result]
    ) -> Iterator[tuple[Item, Result]]:
        """See `Engine`.

        Raises:
            InputError: the cluster takes no jobs; the sentence is its own.
        """
        if not items:
            return
        with explained_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(prefix=".jobs-", dir=self.folder.absolute()))
        waiting: list[tuple[Any, Item]] = []
        failed = False
        try:
            waiting = self._submitted(place, _Job(function), items)
            while waiting:
                for job, item in [pair for pair in waiting if pair[0].done()]:
                    fault = _fault(job)
                    failed = failed or fault is not None
                    yield item, job.result() if fault is None else lost(item, fault)
                    waiting.remove((job, item))
                if waiting:
                    time.sleep(PAUSE)
        finally:
            for job, _ in waiting:
                with suppress(Exception):  # there is nothing else to be done about it
                    job.cancel(check=False)
            if not failed:
                shutil.rmtree(place, ignore_errors=True)

    def _submitted(self, place: Path, function: _Job[Any, Any], items: Sequence[Item]) -> list[tuple[Any, Item]]:
        submitit, options = _submitit(), self.options
        executor = submitit.AutoExecutor(place / "%j", cluster=self.name)
        executor.update_parameters(
            name="monoform",
            timeout_min=options.minutes,
            cpus_per_task=options.cpus,
            gpus_per_node=options.gpus or None,
            mem_gb=options.memory or None,
            slurm_partition=options.partition or None,
            slurm_account=options.account or None,
            slurm_qos=options.qos or None,
            slurm_constraint=options.constraint or None,
            slurm_array_parallelism=self.at_once or LARGEST_ARRAY,
        )
        jobs: list[tuple[Any, Item]] = []
        try:
            for first in range(0, len(items), LARGEST_ARRAY):
                with executor.batch():
                    jobs += [(executor.submit(function, item), item) for item in items[first : first + LARGEST_ARRAY]]
        except submitit.core.utils.FailedJobError as error:
            raise InputError(f"The cluster took no jobs: {_last_line(str(error))}") from error
        return jobs


class _Job(Generic[Item, Result]):
    """The function of one item, on a node: it clears up when it is broken off, and can be put into the queue again."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self.function = function

    def __call__(self, item: Item) -> Result:
        listen(once=True)
        return self.function(item)

    def checkpoint(self, item: Item) -> Any:
        """The same once more: what is finished, and checkpoints, lie in folders."""
        return _submitit().helpers.DelayedSubmission(self, item)


def _fault(job: Any) -> str | None:
    """A sentence about a job that has no result; None where it has one."""
    error = job.exception()
    if error is None:
        return None
    log = job.paths.stderr
    state = "" if job.state in ("FINISHED", "UNKNOWN", "COMPLETED") else f" ({job.state})"
    with suppress(OSError):
        if line := _last_line(log.read_text(encoding="utf-8", errors="replace")):
            return f"Its job left no result{state}; the last line of {log} is: {line}"
    return f"Its job left no result{state}: see {log}."


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _submitit() -> ModuleType:
    try:
        import submitit
        import submitit.helpers
    except ImportError as error:
        raise InputError("--engine slurm needs submitit: pip install 'monoform[cluster]'.") from error
    return submitit
