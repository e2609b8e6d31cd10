"""Work that goes on in smaller portions where memory runs out, what that looks like, and how much was held."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch
from torch.utils.checkpoint import checkpoint

from .errors import InputError

T = TypeVar("T")
log = logging.getLogger(__name__)
SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
"""In what PyTorch says, in small letters: of CUDA, of its CPU allocator, of cuBLAS and cuDNN."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def peak_mb(device: str) -> float | None:
    """The most memory in MB that was held so far: on a GPU by PyTorch, else by this process; None where none tells."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 1e6
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1.024e-3
    return None


def forget_peak(device: str) -> None:
    """Count from now on, where the system lets a process do so."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    else:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def persistent(work: Callable[[], T], relieve: Callable[[], None]) -> T:
    """The result of work that is begun anew, after `relieve`, whenever memory runs out; `relieve` raises to give up."""
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        # Here the error is gone, and with it the frames that held on to memory.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        relieve()


class Portions:
    """How many of something are computed at once: half as many from each time on that memory runs out.

    Args:
        what: they are, for the sentences.
        size: at first; None for all that there are.
        smallest: below which there is no halving.
        advice: what to do where even that is too many.
    """

    def __init__(
        self, what: str, size: int | None = None, *, smallest: int = 1, advice: str = "use a machine with more"
    ) -> None:
        self.what, self.size, self.smallest, self.advice = what, size, smallest, advice
        self._used, self._said = 0, False

    def halve(self) -> bool:
        """Take half as many from now on; False where that is not possible."""
        now = min(self._used, self.size or self._used)
        if now <= self.smallest:
            return False
        self.size = max(now // 2, self.smallest)
        if not self._said:
            log.warning("Memory ran out with %d %s at once: going on with fewer, which takes longer.", now, self.what)
            self._said = True
        return True

    def map(self, work: Callable[[slice], T], total: int) -> list[T]:
        """What work makes of consecutive slices that cover range(total); at least one, which may be empty.

        Raises:
            InputError: there is not enough memory for the smallest.
        """
        found: list[T] = []
        start, part = 0, slice(0, 0)

        def one() -> T:
            nonlocal part
            part = slice(start, min(start + (self.size or max(total, 1)), total))
            self._used = part.stop - part.start
            return work(part)

        while not found or start < total:
            found.append(persistent(one, self._less))
            start = part.stop
        self._used = min(total, self.size or total)
        return found

    def checkpointed(self, work: Callable[[slice], T], total: int) -> list[T]:
        """As `map`, of work with gradients and without random draws.

        Unless it is one slice, what the gradients need is not kept, but computed again when they are asked for: then,
        too, there is no more than one slice in memory.
        """

        def again(part: slice) -> T:
            if part.stop - part.start == total or not torch.is_grad_enabled():
                return work(part)
            found: T = checkpoint(work, part, use_reentrant=False, preserve_rng_state=False)
            return found

        return self.map(again, total)

    def _less(self) -> None:
        if not self.halve():
            raise InputError(f"There is not enough memory for {self._used} {self.what} at once: {self.advice}.")
