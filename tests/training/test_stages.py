"""Trainings of several stages: shares of steps and of time, hand-over, resume in any of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.hooked_cases import HookedDuel
from tests.training.test_resume import assert_equal_runs, at_batch, interrupt
from tests.training.training_cases import Bowl

from monoform.errors import InputError
from monoform.training import Stage, Task, TrainOptions, TrainResult, list_checkpoints, load_checkpoint, train_stages
from monoform.training.stages import step_ends

NAMES = ("shape", "duel", "finish")


def options(steps: int, **more: Any) -> TrainOptions:
    return TrainOptions(steps, device="cpu", progress=False, checkpoint_every=2, log_every=2, **more)


def duels(out: Path, happening: dict[str, Callable[[int], None]] | None = None) -> list[Stage]:
    """Three stages, each from the weights of the one before; `happening` is called at the batches of a stage."""

    def stage(name: str, before: str | None, share: float, **changes: Any) -> Stage:
        def begin(own: TrainOptions) -> Task:
            task = HookedDuel((happening or {}).get(name))
            if before is not None:
                task.module.load_state_dict(torch.load(out / f"{before}.pt", weights_only=True))
            return task

        def end(task: Task, result: TrainResult) -> None:
            torch.save(task.module.state_dict(), out / f"{name}.pt")

        return Stage(name, begin, end, share, out / f"{name}.pt", changes)

    return [
        stage("shape", None, 1.0),
        stage("duel", "shape", 2.0, accumulate=2),
        stage("finish", "duel", 1.0, clip=0.1),
    ]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stages")
    result = train_stages(duels(out), out, options(16))
    assert (result.stopped, result.step) == ("done", 16)
    return out


def test_each_stage_has_its_share_of_the_steps_and_its_own_options(uninterrupted: Path) -> None:
    last = {name: load_checkpoint(list_checkpoints(uninterrupted / name)[-1]) for name in NAMES}
    assert [last[name].step for name in NAMES] == [4, 8, 4]
    assert [last[name].options["micro-batches a step"] for name in NAMES] == [1, 2, 1]
    assert [last[name].options["clip"] for name in NAMES] == [None, None, 0.1]
    assert not torch.equal(last["finish"].model["maker.0.weight"], last["duel"].model["maker.0.weight"])


@pytest.mark.parametrize(
    ("name", "batch", "step"), [("shape", 1, 2), ("duel", 5, 7), ("duel", 0, 5), ("finish", 2, 15)]
)
def test_resumed_in_any_stage_equals_uninterrupted(
    name: str, batch: int, step: int, uninterrupted: Path, tmp_path: Path
) -> None:
    stopped = train_stages(duels(tmp_path, {name: at_batch(batch, interrupt)}), tmp_path, options(16))
    assert (stopped.stopped, stopped.step) == (signal.SIGTERM.name, step)
    assert not any((tmp_path / later).exists() for later in NAMES[NAMES.index(name) + 1 :])
    begun: list[str] = []
    heard = {each: lambda _, each=each: begun.append(each) for each in NAMES}
    assert train_stages(duels(tmp_path, heard), tmp_path, options(16)).step == 16
    assert set(begun) == set(NAMES[NAMES.index(name) :]), "stages that are over are not begun again"
    for each in NAMES:
        assert_equal_runs(tmp_path / each, uninterrupted / each)


def test_a_stage_whose_output_is_gone_writes_it_again(tmp_path: Path) -> None:
    train_stages(duels(tmp_path), tmp_path, options(16))
    written = (tmp_path / "duel.pt").read_bytes()
    (tmp_path / "duel.pt").unlink()
    assert train_stages(duels(tmp_path), tmp_path, options(16)).finished
    assert (tmp_path / "duel.pt").read_bytes() == written


class Slow(Bowl):
    def batch(self, step: int, generator: torch.Generator) -> None:
        time.sleep(0.02)


def timed(share: float) -> tuple[list[Stage], dict[str, TrainResult]]:
    results: dict[str, TrainResult] = {}

    def stage(name: str, share: float) -> Stage:
        def end(task: Task, result: TrainResult) -> None:
            results[name] = result

        return Stage(name, lambda own: Slow(), end, share)

    return [stage("first", share), stage("second", 1 - share)], results


def test_each_stage_has_its_share_of_the_time(tmp_path: Path) -> None:
    stages, results = timed(0.25)
    begun = time.perf_counter()
    last = train_stages(stages, tmp_path, options(100_000, max_seconds=4.0))
    took = time.perf_counter() - begun
    assert [results[name].stopped for name in ("first", "second")] == ["time", "time"] and 3.0 < took < 8.0
    assert 1 <= results["first"].step < 60 < results["second"].step + 60
    assert results["first"].seconds < 1.0 < results["second"].seconds < 3.5
    assert last.step == 25_000 + results["second"].step


def test_time_that_is_spent_leaves_a_step_or_two_of_the_next(tmp_path: Path) -> None:
    stages, results = timed(0.5)
    spent = options(1000, max_seconds=1.0, begun=time.perf_counter() - 5)
    train_stages(stages, tmp_path, spent)
    assert results["first"].step == 1 and results["second"].step > 1


@pytest.mark.parametrize(
    ("shares", "steps", "ends"),
    [([0.3, 0.7], 10, [3, 10]), ([0.3, 0.7], 12, [4, 12]), ([1, 1, 1], 10, [3, 7, 10]), ([5], 7, [7])],
)
def test_steps_are_shared_out_whole(shares: list[float], steps: int, ends: list[int]) -> None:
    stages = [Stage(str(number), lambda own: Bowl(), print, share) for number, share in enumerate(shares)]
    assert step_ends(stages, steps) == ends


def test_stages_that_cannot_be_run_are_refused() -> None:
    one = Stage("a", lambda own: Bowl(), print)
    for stages, steps, words in (
        ([], 5, "give each its own name"),
        ([one, one], 5, "give each its own name"),
        ([one, Stage("b", lambda own: Bowl(), print, 0.0)], 5, "a positive share"),
        ([one, Stage("b", lambda own: Bowl(), print, 99.0)], 5, "leave the stage 'a' without one"),
    ):
        with pytest.raises(InputError, match=words):
            step_ends(stages, steps)
