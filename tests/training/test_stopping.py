"""When a training stops so that there is time left for what follows."""

from __future__ import annotations

from monoform.training import stopping
from monoform.training.stopping import REASONS, Stop


def steps_until_time(monkeypatch, reserve, *, seconds: float, each: float, begun: float = 0.0) -> int:
    now = [0.0]
    monkeypatch.setattr(stopping.time, "perf_counter", lambda: now[0])
    stop, steps = Stop(begun, seconds, reserve), 0
    while True:
        now[0] += each
        steps += 1
        if REASONS[stop.reason(each)] == "time":
            return steps


def test_the_reserve_is_kept(monkeypatch):
    assert steps_until_time(monkeypatch, None, seconds=100.0, each=1.0) == 100
    assert steps_until_time(monkeypatch, lambda: 30.0, seconds=100.0, each=1.0) == 70


def test_half_of_the_time_is_the_trainings(monkeypatch):
    assert steps_until_time(monkeypatch, lambda: 1e6, seconds=100.0, each=1.0) == 50


def test_the_time_counts_from_the_commands_beginning(monkeypatch):
    assert steps_until_time(monkeypatch, None, seconds=100.0, each=1.0, begun=-40.0) == 60


def test_the_reserve_is_asked_now_and_then(monkeypatch):
    asked = []
    steps_until_time(monkeypatch, lambda: asked.append(1) or 10.0, seconds=100.0, each=0.5)
    assert 10 <= len(asked) <= 25
