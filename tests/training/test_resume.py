"""Interrupted and resumed equals uninterrupted, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.training_cases import Bowl, Duel, assert_same_bits, duel_options, final_state

from monoform.errors import InputError
from monoform.training import TrainOptions, TrainResult, train
from monoform.training.identity import gist

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted")
    train(Duel(), out, options=duel_options())
    return out


def assert_equal_runs(first: Path, second: Path) -> None:
    assert_same_bits(final_state(first), final_state(second))
    assert journal(first) == journal(second)


def journal(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def at_batch(number: int, action: Callable[[], None]) -> Callable[[int], None]:
    """Do something while the batch of this number is made: two batches are made in each step."""
    seen = iter(range(10**6))
    return lambda step: action() if next(seen) == number else None


def interrupt(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("batch", [0, 1, 6, 7, 13, 20])
def test_a_signal_in_any_micro_batch(batch: int, uninterrupted: Path, tmp_path: Path) -> None:
    first = train(Duel(at_batch(batch, interrupt)), tmp_path, options=duel_options())
    assert (first.stopped, first.step) == ("SIGTERM", batch // 2 + 1)
    assert final_state(tmp_path)["step"] == first.step  # the step was finished, and kept
    second = train(Duel(), tmp_path, options=duel_options())
    assert second.finished
    assert_equal_runs(tmp_path, uninterrupted)


def test_a_crash_in_the_middle_of_accumulation_goes_back_to_the_checkpoint(uninterrupted: Path, tmp_path: Path) -> None:
    def crash() -> None:
        raise ConnectionError("the data went away")

    with pytest.raises(ConnectionError, match="the data went away"):
        train(Duel(at_batch(13, crash)), tmp_path, options=duel_options())
    assert final_state(tmp_path)["step"] == 4
    assert train(Duel(), tmp_path, options=duel_options()).finished
    assert_equal_runs(tmp_path, uninterrupted)


def test_interrupted_again_and_again(uninterrupted: Path, tmp_path: Path) -> None:
    for expected in (1, 2, 5, 6):
        step = final_state(tmp_path)["step"] if expected > 1 else 0
        task = Duel(at_batch(2 * (expected - step - 1), lambda: interrupt(signal.SIGINT)))
        result = train(task, tmp_path, options=duel_options(prefetch=False))
        assert (result.stopped, result.step) == ("SIGINT", expected)
    train(Duel(), tmp_path, options=duel_options(prefetch=True))
    assert_equal_runs(tmp_path, uninterrupted)


def test_a_later_end_goes_on_where_a_shorter_training_ended(uninterrupted: Path, tmp_path: Path) -> None:
    assert train(Duel(), tmp_path, options=duel_options(steps=7)).finished
    assert train(Duel(), tmp_path, options=duel_options(steps=12)).step == 12
    assert_same_bits(final_state(tmp_path)["model"], final_state(uninterrupted)["model"])


class Named(Bowl):
    """A task that says what it is of."""

    def __init__(self, **what: Any) -> None:
        super().__init__()
        self.what = what

    def identity(self) -> dict[str, Any]:
        return self.what


def test_a_training_of_something_else_does_not_go_on(tmp_path: Path) -> None:
    options = TrainOptions(2, device="cpu")
    train(Named(word="cat", photo=(0.25, 0.5)), tmp_path, options=options)
    more = replace(options, steps=3)
    with pytest.raises(InputError, match="holds a training with word cat, and dog is asked for"):
        train(Named(word="dog", photo=(0.25, 0.5)), tmp_path, options=more)
    for photo in ((0.25, 0.75), (0.25,)):
        with pytest.raises(InputError, match="holds a training of other photo: give the same, or another folder"):
            train(Named(word="cat", photo=photo), tmp_path, options=more)
    assert train(Named(word="cat", photo=(0.251, 0.499), later="x"), tmp_path, options=more).step == 3


def test_a_picture_is_known_again_in_another_size() -> None:
    picture = np.random.default_rng(0).random((48, 64, 3)).repeat(2, axis=0).repeat(2, axis=1)
    assert np.allclose(gist(picture), gist(picture[::2, ::2]), atol=1e-4)
    assert np.allclose(np.reshape(gist(picture), (4, 4, 3))[1, 2], picture[24:48, 64:96].mean((0, 1)), atol=1e-4)


def test_a_finished_training_is_left_as_it_is(uninterrupted: Path, tmp_path: Path) -> None:
    first = train(Duel(), tmp_path, options=duel_options())
    written = first.checkpoint.stat().st_mtime_ns
    task = Duel()
    again = train(task, tmp_path, options=duel_options())
    assert again.finished and again.step == 12 and again.checkpoint.stat().st_mtime_ns == written
    assert_same_bits(dict(task.module.state_dict()), final_state(tmp_path)["model"])
    assert_equal_runs(tmp_path, uninterrupted)


def test_a_signal_in_the_last_step_finds_the_training_done(uninterrupted: Path, tmp_path: Path) -> None:
    assert train(Duel(at_batch(22, interrupt)), tmp_path, options=duel_options()).finished
    assert_equal_runs(tmp_path, uninterrupted)


def test_a_second_interrupt_is_an_echo_at_once_and_meant_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        interrupt(signal.SIGINT)
        interrupt(signal.SIGINT)

    assert train(Duel(at_batch(2, twice)), tmp_path, options=duel_options()).stopped == "SIGINT"
    monkeypatch.setattr("monoform.training.stopping.ECHO_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(Duel(at_batch(2, twice)), tmp_path, options=duel_options())
    assert final_state(tmp_path)["step"] == 2


def test_signal_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    result: TrainResult = train(Duel(at_batch(0, interrupt)), tmp_path, options=duel_options())
    assert result.stopped == "SIGTERM"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


SCRIPT = """
import sys, time
from tests.training.training_cases import Duel, duel_options
from monoform.training import train

def wait(step):
    print(step, flush=True)
    time.sleep(0.2 if step > 3 else 0)

result = train(Duel(wait), sys.argv[1], options=duel_options())
print("stopped", result.stopped, result.step, flush=True)
"""


def test_sigterm_from_outside(uninterrupted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(out)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "5":
                time.sleep(0.05)
                process.terminate()
                break
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "stopped SIGTERM 6" in rest
    train(Duel(), out, options=duel_options())
    assert_equal_runs(out, uninterrupted)
