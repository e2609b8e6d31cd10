"""Progress of long work: a bar on a terminal, elsewhere a plain line now and then.

Any code says what it is doing with `work`; nothing is written before someone asks for it with `shown`, as the command
line does. All of it goes to standard error.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

log = logging.getLogger(__name__)
T = TypeVar("T")
AnyTeller = TypeVar("AnyTeller", bound="Teller")
Show = Callable[[int, int, str], None]  # how many are finished, of how many, and the name of the last

SILENT_SECONDS = 3.0  # what is over sooner needs no words
LINE_SECONDS = 10.0  # from one plain line to the next while nothing changes
LOOK_SECONDS = 0.5  # from one look at the work to the next


class Work:
    """One piece of work, and how far it is. Calling it with (finished, total, note) says how far.

    Attributes:
        what: words for it, such as "making the mesh".
        unit: of what is counted, such as "step".
        finished, total: counts; total is None where nothing is counted. note: the last that is to be said.
        begun: `time.perf_counter()` at its beginning.
    """

    def __init__(self, what: str, total: int | None, first: int, unit: str) -> None:
        self.what, self.unit, self.total, self.note = what, unit, total, ""
        self.first = self.finished = first
        self.begun = time.perf_counter()
        self._counts = False

    def __call__(self, finished: int, total: int | None = None, note: str | None = None) -> None:
        if not self._counts and total is not None:  # what was finished before took no time now
            self.first = max(self.first, finished - 1)
        self._counts = True
        self.finished = finished
        self.total = self.total if total is None else total
        self.note = self.note if note is None else note

    def seconds_left(self) -> float | None:
        """Seconds left at the mean speed so far; None where that is not known."""
        done = self.finished - self.first
        if self.total is None or done < 1:
            return None
        return (time.perf_counter() - self.begun) / done * max(0, self.total - self.finished)

    def sentence(self, *, over: bool = False, spent: bool = True) -> str:
        """What is done, how much of it, and the time that is left, or that it took where it is `over`.

        Where the time that is left is not known, that which is `spent` so far.
        """
        parts = []
        if self.total is not None:
            parts.append(f"{self.unit} {self.finished} of {self.total}".strip())
        if self.note:
            parts.append(self.note)
        left = self.seconds_left()
        if over:
            parts.append(f"took {in_words(time.perf_counter() - self.begun)}")
        elif left:
            parts.append(f"about {in_words(left)} left")
        elif spent and time.perf_counter() - self.begun > SILENT_SECONDS:
            parts.append(f"{in_words(time.perf_counter() - self.begun)} so far")
        return f"{self.what}: {', '.join(parts)}" if parts else self.what


class Teller(Protocol):
    """Who tells of work: told of its beginning and its end, it looks at it by itself in between."""

    def begin(self, work: Work) -> None: ...

    def end(self, work: Work) -> None: ...

    def stop(self) -> None: ...


_teller: Teller | None = None


@contextmanager
def work(what: str, total: int | None = None, *, first: int = 0, unit: str = "") -> Iterator[Work]:
    """Within, `what` is being done; the yielded `Work` is called with how far it is."""
    item, teller = Work(what, total, first, unit), _teller
    if teller is not None:
        teller.begin(item)
    try:
        yield item
    finally:
        if teller is not None:
            teller.end(item)
        log.debug("%s: %.3f s", what, time.perf_counter() - item.begun)


def one_by_one(items: Sequence[T], what: str, *, unit: str = "") -> Iterator[T]:
    """The items one by one; meanwhile `what` is being done."""
    with work(what, len(items), unit=unit) as show:
        for number, item in enumerate(items, start=1):
            yield item
            show(number)


@contextmanager
def shown() -> Iterator[None]:
    """Within, all work is told on standard error; one such context inside another changes nothing."""
    global _teller  # noqa: PLW0603
    if _teller is not None:
        yield
        return
    _teller = _Bars() if _on_terminal() else _Lines()
    try:
        yield
    finally:
        stop()


@contextmanager
def told_to(teller: AnyTeller) -> Iterator[AnyTeller]:
    """Within, all work of this process is told to someone else."""
    global _teller  # noqa: PLW0603
    before, _teller = _teller, teller
    try:
        yield teller
    finally:
        _teller = before


def stop() -> None:
    """Tell no more, and leave the terminal as it was."""
    global _teller
    teller, _teller = _teller, None
    if teller is not None:
        teller.stop()


def in_words(seconds: float) -> str:
    """A time as people say it: 45 s, 3 min, 2 h 10 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _on_terminal() -> bool:
    from rich.console import Console

    console = Console(stderr=True)
    return console.is_terminal and not console.is_dumb_terminal


class _Lines:
    """Plain lines: at each change of what is done, and now and then, once the work has taken some seconds."""

    def __init__(self) -> None:
        self.stack: list[Work] = []
        self.begun = 0.0  # of the first work
        self.said_at, self.said_of = 0.0, cast("Work | None", None)
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def begin(self, work: Work) -> None:
        with self.lock:
            self.stack.append(work)
        if self.thread is None:
            self.begun = work.begun
            self.thread = threading.Thread(target=self._watch, name="progress", daemon=True)
            self.thread.start()

    def end(self, work: Work) -> None:
        with self.lock:
            outermost = self.stack[:1] == [work]
            self.stack = [item for item in self.stack if item is not work]
        # What was told of, and counts, has a last line.
        if outermost and self.said_of is work and work.total is not None:
            self._say(work.sentence(over=True))

    def stop(self) -> None:
        self.ended.set()

    def _watch(self) -> None:
        while not self.ended.wait(LOOK_SECONDS):
            with self.lock:
                stack = list(self.stack)
            now = time.perf_counter()
            if not stack or now - self.begun < SILENT_SECONDS:
                continue
            if stack[0] is not self.said_of or now - self.said_at >= LINE_SECONDS:
                self.said_of = stack[0]
                parts = [stack[0].sentence()] + ([stack[-1].sentence()] if len(stack) > 1 else [])
                self._say("; ".join(parts))

    def _say(self, line: str) -> None:
        self.said_at = time.perf_counter()
        # Nobody may be listening any more; that is no reason to end the work.
        with contextlib.suppress(OSError, ValueError):
            print(" ".join(line.split()), file=sys.stderr, flush=True)


class _Bars:
    """A bar for each piece of work at hand, gone when it is done."""

    def __init__(self) -> None:
        self.bars: Any = None
        self.rows: dict[int, tuple[Any, Work]] = {}
        self.ended = threading.Event()
        self.lock = threading.RLock()

    def begin(self, work: Work) -> None:
        with self.lock:
            if self.bars is None:
                self.bars = self._start()
                threading.Thread(target=self._watch, args=(self.ended,), name="progress", daemon=True).start()
            self.rows[id(work)] = self.bars.add_task(_plain(work.what), total=work.total, **_fields(work)), work

    def end(self, work: Work) -> None:
        with self.lock:
            row, _ = self.rows.pop(id(work), (None, None))
            if row is not None:
                self.bars.remove_task(row)
            if not self.rows:
                self.stop()

    def stop(self) -> None:
        with self.lock:
            self.ended.set()
            self.ended = threading.Event()
            if self.bars is not None:
                self.bars.stop()
            self.bars = None

    def _start(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
        )
        # What is printed meanwhile goes above the bars, unless it goes to a file.
        bars = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(), expand=False
        )
        bars.start()
        return bars

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(LOOK_SECONDS):
            with self.lock:
                if ended.is_set() or self.bars is None:
                    return
                for row, work in self.rows.values():
                    self.bars.update(row, completed=work.finished, total=work.total, **_fields(work))


def _fields(work: Work) -> dict[str, str]:
    message = work.sentence(spent=False).removeprefix(work.what).removeprefix(": ")
    return {"said": _plain(" ".join(message.split()))}


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
