"""What commands that listen for others are asked: where, whom, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..computing import Computing

if TYPE_CHECKING:
    from ..app.queue import JobQueue, Limits

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Serving(Computing):
    """Options of a command that listens; its own dataclass is built on this one."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    methods: tuple[str, ...] = ("lift", "inflate")
    """Methods that may be asked for, the default first."""
    allow_host: tuple[str, ...] = ()
    """Further names by which it may be called. Default: only those of this machine where --host is one of them, else
    any."""
    workers: int = 1
    """Photos at once, each in a process of its own."""
    seconds: float = 600.0
    """A reconstruction may take."""
    keep: float = 60.0
    """Minutes for which a finished result is kept."""
    megabytes: float = 32.0
    """Of a request, and so of a photo's file, at most."""
    megapixels: float = 50.0
    """Of a photo, at most."""
    memory: float = 8.0
    """GB of memory of each worker process, beyond which its job fails; 0 for no bound. Linux, on the CPU."""

    def limits(self, **own: float) -> Limits:
        """The bounds, with those of the command itself."""
        from ..app.queue import Limits

        same = ("workers", "seconds", "keep", "megabytes", "megapixels", "memory")
        return Limits(**{name: getattr(self, name) for name in same}, **own)  # type: ignore[arg-type]

    def hosts(self) -> set[str] | None:
        """Names by which the server may be called; None: any, where other machines are let in.

        A page elsewhere can give its own name the address of this machine: what is for this machine answers to its
        names.
        """
        local = self.host in LOOPBACK
        further = {*self.allow_host, self.host, *(LOOPBACK if local else ())}
        return further if local or self.allow_host else None


def opened_queue(limits: Limits, device: str) -> JobQueue:
    """The queue of the jobs, whose workers share the threads."""
    import torch

    from ..app.queue import JobQueue

    threads = max(1, torch.get_num_threads() // limits.workers)
    return JobQueue(limits, threads=threads, bounded=device == "cpu")
