"""Processes for many items: they end with the one that started them, and leave nothing that the next does not clear."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monoform.errors import InputError
from monoform.workers import THREADS, map_unordered

PARENT = """
import sys, time
from pathlib import Path
from tests.test_workers import hold
from monoform.workers import map_unordered
if __name__ == "__main__":
    for _ in map_unordered(hold, [Path(sys.argv[1]) / name for name in "abcd"], workers=2):
        pass
"""
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
}


def hold(place: Path) -> None:
    """Be at work on a folder, for long."""
    from monoform.outputs import atomic_folder

    with atomic_folder(place) as draft:
        (draft / "pid").write_text(str(os.getpid()))
        place.with_suffix(".begun").write_text(str(os.getpid()))
        time.sleep(60)


def square(number: int) -> int:
    """Its square; 13 ends the process."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def threads(_: int) -> list[str | None]:
    """What the process was told about threads."""
    return [os.environ.get(name) for name in THREADS]


def is_living(number: int) -> bool:
    """Whether a process is there and is not only waiting to be counted off."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float) -> bool:
    """Look again until it is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path: Path, number: int) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    out = tmp_path / "out"
    parent = subprocess.Popen([sys.executable, str(script), str(out)], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: sum(file.stat().st_size > 0 for file in out.glob("*.begun")) == 2, 60)
        workers = [int(file.read_text()) for file in out.glob("*.begun")]
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert {str(worker) for worker in workers} <= set(children)
    finally:
        parent.send_signal(number)
        parent.wait(timeout=10)
    assert wait_for(lambda: not any(is_living(int(child)) for child in children), 10)  # the tracker, too
    subprocess.run(  # the next run clears what they left
        [
            sys.executable,
            "-c",
            "import sys; from monoform.outputs import sweep; sweep(__import__('pathlib').Path(sys.argv[1]))",
            out,
        ],
        env=ENVIRONMENT,
        check=True,
    )
    assert sorted(path.suffix for path in out.iterdir()) == [".begun", ".begun"]


def test_results_come_as_they_are_finished() -> None:
    assert sorted(map_unordered(square, [1, 2, 3], workers=2)) == [(1, 1), (2, 4), (3, 9)]
    assert list(map_unordered(square, [3, 2], workers=1)) == [(3, 9), (2, 4)]
    with pytest.raises(InputError, match="workers is 0"):
        list(map_unordered(square, [1], workers=0))


def test_a_process_that_is_ended_from_outside() -> None:
    with pytest.raises(InputError, match="ended from outside"):
        list(map_unordered(square, [13, 13], workers=2))
    assert dict(map_unordered(square, [13, 13], workers=2, lost=lambda _: -1)) == {13: -1}


def test_each_process_gets_its_threads() -> None:
    before = {name: os.environ.get(name) for name in THREADS}
    assert [found for _, found in map_unordered(threads, [1, 2], workers=2, threads=3)] == [["3"] * len(THREADS)] * 2
    assert {name: os.environ.get(name) for name in THREADS} == before
