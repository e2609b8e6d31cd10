"""What long work says: plain lines where nobody watches a terminal, a bar where someone does, nothing unasked."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from monoform import progress
from monoform.progress import in_words, one_by_one, shown, work

WORKING = """
import time
from monoform import progress
progress.SILENT_SECONDS, progress.LINE_SECONDS, progress.LOOK_SECONDS = {silent}, 0.3, 0.02
with progress.shown():
    with progress.work("training", 40, unit="step") as show:
        for step in range(1, 41):
            time.sleep(0.03)
            show(step, note=f"loss {{1 / step:.2f}}")
    with progress.work("making the mesh"):
        time.sleep(0.5)
    print("done")
"""


def told(silent: float, *, wrapped: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WORKING.format(silent=silent)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)


def test_the_log_has_levels_and_is_silent_unasked() -> None:
    program = """
import logging
from monoform.computing import log_from
from monoform.progress import work
for level in ("", "warning", "info", "debug"):
    log_from(level)
    with work(f"made at {level}"):
        logging.getLogger("monoform.any").info(f"told at {level}")
        logging.getLogger("monoform.any").warning(f"warned at {level}")
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    info, debug = [("told", "info"), ("warned", "info")], [("told", "debug"), ("warned", "debug"), ("made", "debug")]
    found = re.findall(r"(made|told|warned) at (\w*)", done.stderr)
    assert found == [("warned", ""), ("warned", "warning"), *info, *debug] and not done.stdout


def test_without_a_terminal_there_are_plain_lines():
    done = told(0.1)
    lines = done.stderr.splitlines()
    assert done.stdout == "done\n"
    assert lines[0].startswith("training: step ") and " of 40" in lines[0]
    assert any("loss " in line and "left" in line for line in lines)
    assert any(line.startswith("training: step 40 of 40, loss 0.03, took ") for line in lines)
    assert any(line.startswith("making the mesh") for line in lines)
    assert len(lines) <= 12  # some 1.7 seconds, a line each 0.3 of them and at each change
    assert "\x1b" not in done.stderr and "\r" not in done.stderr


def test_what_is_over_soon_needs_no_words():
    assert told(60.0).stderr == ""


def test_nothing_is_said_unasked(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.0)
    with work("training", 3) as show:
        show(3)
    assert list(one_by_one("abc", "reading")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_work_is_named_even_when_it_fails(monkeypatch):
    with shown():
        with pytest.raises(KeyError), work("reading"):
            raise KeyError
        with work("writing") as second:
            assert second.sentence() == "writing"


def test_time_left_follows_the_mean_speed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    item = progress.Work("training", 1000, 400, "step")
    assert item.sentence() == "training: step 400 of 1000"
    now[0] += 30
    item(500, note="loss 0.5")
    assert item.seconds_left() == pytest.approx(150)
    assert item.sentence() == "training: step 500 of 1000, loss 0.5, about 2 min left"
    assert item.sentence(over=True).endswith("took 30 s")


def test_what_was_finished_before_does_not_count_as_speed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    item = progress.Work("rendering", None, 0, "object")
    now[0] = 10.0
    item(91, 100, "chair")
    assert item.seconds_left() == pytest.approx(90)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59, "59 s"), (170, "3 min"), (7900, "2 h 12 min")])
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_on_a_terminal_there_is_a_bar_that_goes_away():
    import os
    import pty

    parent, child = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", WORKING.format(silent=0.1)],
        stdin=child,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(parent)
    text = seen.decode()
    assert running.wait(timeout=30) == 0
    # Drawn ten times a second, and taken away when the work is over: the last steps may not be drawn.
    drawn = [int(step) for step in re.findall(r"step (\d+) of 40", text)]
    assert drawn == sorted(drawn) and len(set(drawn)) > 3 and drawn[-1] > 20
    assert "making the mesh" in text and "done" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is shown again
