"""Ctrl-C and SIGTERM as KeyboardInterrupt, with the cases in which Python loses one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_signals: list[int] = []  # since `listen`


def listen(*, once: bool = False) -> None:
    """From here on Ctrl-C and SIGTERM raise KeyboardInterrupt.

    Python swallows an exception that a signal raises within a callback (at a fork, in a destructor) and reports it as
    ignored; it is not reported here, and `heard` still tells.

    Args:
        once: only the first signal raises; later ones do not break off the clearing up after it.
    """
    _signals.clear()

    def note(number: int, *_: object) -> None:
        _signals.append(number)
        if not once or len(_signals) == 1:
            raise KeyboardInterrupt

    on_signals(note)
    report = sys.__unraisablehook__

    def quiet(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            report(unraisable)

    sys.unraisablehook = quiet


def heard() -> bool:
    """Whether a signal came since `listen`."""
    return bool(_signals)


def on_signals(handler: Callable[..., object]) -> None:
    """Let a function handle Ctrl-C and SIGTERM."""
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while something is cleared up or renamed; they arrive afterwards.

    Processes started meanwhile hold them back too, until they let them through. Without effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
