"""When a training stops before its end: a signal, or the time that it was given."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ECHO_SECONDS = 2.0
ASK_SHARE = 0.05  # of the time, from one question for the reserve to the next
REASONS = ("", "time", *(item.name for item in SIGNALS))


class Stop:
    """Listens for SIGTERM and SIGINT while it is entered: the first lets the step finish.

    A second Ctrl-C, two seconds later or more, interrupts at once. Sooner it is the echo of the first: launchers hand
    on to their processes what these have heard themselves.

    Args:
        begun: time.perf_counter() when the training was called.
        max_seconds: time it was given, None for no limit.
        reserve: tells how much of it is needed afterwards; None for nothing.
    """

    def __init__(self, begun: float, max_seconds: float | None, reserve: Callable[[], float] | None = None) -> None:
        self.begun = begun
        self.max_seconds = max_seconds
        self._reserve = reserve
        self._kept, self._asked = 0.0, -math.inf
        self._signal = ""
        self._heard = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        # Python lets only the main thread listen; elsewhere signals act as they did.
        if threading.current_thread() is threading.main_thread():
            self._before = {item: signal.signal(item, self._note) for item in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for item, handler in self._before.items():
            signal.signal(item, handler)
        self._before = {}

    def reason(self, next_seconds: float) -> int:
        """Index into REASONS: whether to stop now, where the next step takes about `next_seconds`."""
        if self._signal:
            return REASONS.index(self._signal)
        if self.max_seconds is None:
            return 0
        now = time.perf_counter()
        if self._reserve is not None and now - self._asked > ASK_SHARE * self.max_seconds:
            # However long it takes afterwards, half of the time is the training's.
            self._kept, self._asked = min(self._reserve(), 0.5 * self.max_seconds), time.perf_counter()
        return int(now - self.begun + next_seconds > self.max_seconds - self._kept)

    def _note(self, number: int, _: FrameType | None) -> None:
        now = time.perf_counter()
        if self._signal and number == signal.SIGINT and now - self._heard > ECHO_SECONDS:
            raise KeyboardInterrupt
        if not self._signal:
            self._signal, self._heard = signal.Signals(number).name, now
