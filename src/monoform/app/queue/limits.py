"""What those who wait may ask for, so that the machine bears it."""

from __future__ import annotations

from dataclasses import dataclass

from ...ranges import require_ranges


@dataclass(frozen=True)
class Limits:
    """What is bounded, and by how much.

    Attributes:
        queue: jobs that wait, at most.
        workers: jobs at once, each in a process of its own.
        seconds: a job may take.
        keep: minutes for which a finished result is kept.
        results: finished jobs that are kept, at most; the oldest go first.
        megabytes: of a request in all.
        megapixels: of a photo or mask.
        memory: GB of a worker process, beyond which its job fails; 0 for no bound. Linux, and networks on the CPU.
        grace: seconds that jobs get to end when the service stops.
    """

    queue: int = 100
    workers: int = 1
    seconds: float = 600.0
    keep: float = 60.0
    results: int = 200
    megabytes: float = 32.0
    megapixels: float = 50.0
    memory: float = 8.0
    grace: float = 10.0

    def __post_init__(self) -> None:
        require_ranges(
            self,
            "The service's",
            queue=(1, 100_000),
            workers=(1, 256),
            seconds=(1, 1e6),
            keep=(0.01, 1e6),
            results=(1, 1e6),
            megabytes=(0.01, 4096),
            megapixels=(0.001, 100),
            memory=(0, 4096),
            grace=(0, 3600),
        )
