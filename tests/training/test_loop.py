"""What the loop computes, against closed forms and a bare loop."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.training_cases import Bowl, Duel, Lines, duel_options
from torch import Tensor, nn

from monoform.training import Optimizer, Phase, Steps, TrainOptions, list_checkpoints, train


def options(steps: int, **more: Any) -> TrainOptions:
    return TrainOptions(steps, device="cpu", **more)


def test_gradient_descent_falls_at_the_known_rate(tmp_path: Path) -> None:
    task = Bowl(rate=0.1)
    result = train(task, tmp_path, options=options(30))
    expected = torch.tensor([0.9**30, 0.6**30], dtype=torch.float64)
    torch.testing.assert_close(task.module[0].detach(), expected, rtol=1e-12, atol=0)
    assert result.finished and result.step == 30


def test_the_schedule_multiplies_the_rate(tmp_path: Path) -> None:
    task = Bowl(rate=0.2, schedule=Steps((10,), factor=0.5))
    train(task, tmp_path, options=options(15))
    assert float(task.module[0][0].detach()) == pytest.approx(0.8**10 * 0.9**5, rel=1e-12)


def test_clipping_bounds_the_step(tmp_path: Path) -> None:
    task = Bowl(rate=1.0)
    train(task, tmp_path, options=options(1, clip=0.01))
    moved = 1 - task.module[0].detach()
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(moved / moved.norm(), torch.tensor([1.0, 4.0]).double() / 17**0.5, rtol=1e-3, atol=0)


def test_micro_batches_add_up_to_one_big_batch(tmp_path: Path) -> None:
    small = Lines(rows=6)
    train(small, tmp_path / "small", options=options(25, accumulate=4))

    class Whole(Lines):
        """The four micro-batches that `small` saw, as one."""

        def batch(self, step: int, generator: torch.Generator) -> Tensor:
            return torch.cat(small.seen[4 * step : 4 * step + 4])

    whole = Whole()
    train(whole, tmp_path / "whole", options=options(25))
    torch.testing.assert_close(small.module.state_dict(), whole.module.state_dict(), rtol=1e-10, atol=1e-12)
    assert float((small.module.weight - Lines().module.weight).detach().abs().max()) > 0.1


def test_equals_a_bare_loop(tmp_path: Path) -> None:
    task, bare = Lines(), Lines()
    train(task, tmp_path, options=options(20))
    optimizer = torch.optim.Adam(bare.module.parameters(), 0.05)
    for points in task.seen:
        optimizer.zero_grad()
        bare.loss(points, 0, torch.Generator())[0].backward()
        optimizer.step()
    assert torch.equal(task.module.weight, bare.module.weight)


def test_phases_run_when_due_in_order_and_move_only_their_own(tmp_path: Path) -> None:
    calls: list[tuple[str, int]] = []

    class Two(Bowl):
        def phases(self) -> list[Phase]:
            return [
                Phase("often", [self.module[0]], self.note("often"), optimizer=self.optimizer),
                Phase("rare", [self.module[1]], self.note("rare"), every=3, optimizer=self.optimizer),
            ]

        def note(self, name: str) -> Any:
            def loss(batch: None, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
                calls.append((name, step))
                asked = [item.requires_grad for item in self.module]
                assert asked == [name == "often", name == "rare"]
                return (self.module[0] * self.module[1]).sum(), {}

            return loss

    task = Two()
    task.module.append(nn.Parameter(torch.ones(2, dtype=torch.float64)))
    train(task, tmp_path, options=options(5))
    names = {step: [name for name, at in calls if at == step] for step in range(5)}
    assert names == {0: ["often", "rare"], 1: ["often"], 2: ["often"], 3: ["often", "rare"], 4: ["often"]}
    a, b = 1.0, 1.0
    for step in range(5):
        a -= 0.1 * b
        b -= 0.1 * a if step % 3 == 0 else 0.0
    assert [float(item[0].detach()) for item in task.module] == pytest.approx([a, b], rel=1e-12)


def test_a_shared_optimizer_keeps_one_set_of_moments(tmp_path: Path) -> None:
    class Shared(Lines):
        def phases(self) -> list[Phase]:
            first = Phase("fit", self.module.parameters, self.loss, optimizer=Optimizer("adam", 0.05))
            return [first, Phase("again", (), self.loss, shares="fit")]

    task, bare = Shared(), Lines()
    train(task, tmp_path, options=options(10))
    optimizer = torch.optim.Adam(bare.module.parameters(), 0.05)
    for points in task.seen:
        for _ in range(2):
            optimizer.zero_grad()
            bare.loss(points, 0, torch.Generator())[0].backward()
            optimizer.step()
    assert torch.equal(task.module.weight, bare.module.weight)


def test_the_callers_random_numbers_go_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002

    torch.manual_seed(1), np.random.seed(1), random.seed(1)  # noqa: NPY002
    expected = draw()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)  # noqa: NPY002
    task = Duel()
    torch.manual_seed(1)
    train(task, tmp_path, options=duel_options(steps=2))
    assert draw() == expected


def test_the_seed_decides(tmp_path: Path) -> None:
    ends = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        task = Duel()
        train(task, tmp_path / name, options=duel_options(seed=seed, steps=4))
        ends.append(task.maker[0].weight.detach())
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


def test_prefetching_and_evaluating_change_nothing(tmp_path: Path) -> None:
    ends = []
    for name, changes in (("a", {}), ("b", {"prefetch": True, "evaluate_every": 1, "log_every": 1})):
        task = Duel()
        train(task, tmp_path / name, options=duel_options(**changes))
        ends.append(task.module.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_bfloat16_computes_otherwise_and_keeps_its_weights_in_float32(tmp_path: Path) -> None:
    kinds: list[torch.dtype] = []

    class Seen(Lines):
        def loss(self, points: Tensor, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            made = self.module(points.float())
            kinds.append(made.dtype)
            return (made - points.float().sum(1, keepdim=True)).float().square().mean(), {}

    task = Seen()
    task.module.float()
    train(task, tmp_path, options=options(120, precision="bf16-mixed"))
    assert set(kinds) == {torch.bfloat16} and task.module.weight.dtype == torch.float32
    # The true weights are 1 each; products in bfloat16 tell them to about a hundredth.
    assert float((task.module.weight.detach() - 1).abs().max()) < 0.1


def test_the_journal_averages_the_steps_between_its_lines(tmp_path: Path) -> None:
    result = train(Bowl(rate=0.1), tmp_path, options=options(10, log_every=5))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["kind"]) for line in lines] == [(5, "train"), (10, "train")]
    firsts = [0.9**step for step in range(10)]
    assert [line["fall/first"] for line in lines] == pytest.approx([sum(firsts[:5]) / 5, sum(firsts[5:]) / 5])
    assert lines[0]["fall/rate"] == 0.1
    assert result.metrics["fall/first"] == lines[1]["fall/first"]


def test_the_averaged_weights_are_what_is_evaluated(tmp_path: Path) -> None:
    class Measured(Bowl):
        def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
            return {"first": float(module[0][0].detach())}

    lines = {}
    for name, decay in (("own", None), ("averaged", 0.5)):
        result = train(
            Measured(), tmp_path / name, options=options(2, evaluate_every=2, ema_decay=decay, ema_warmup=False)
        )
        lines[name] = result.metrics["evaluate/first"]
    assert lines["own"] == pytest.approx(0.81)
    assert lines["averaged"] == pytest.approx(0.25 * 1 + 0.25 * 0.9 + 0.5 * 0.81)


def test_a_time_budget_ends_with_a_checkpoint(tmp_path: Path) -> None:
    class Slow(Bowl):
        def batch(self, step: int, generator: torch.Generator) -> None:
            time.sleep(0.05)

    begun = time.perf_counter()
    result = train(Slow(), tmp_path, options=options(10_000, max_seconds=0.5))
    assert result.stopped == "time" and not result.finished and 0 < result.step < 11
    assert time.perf_counter() - begun < 5  # the budget, and slow disks of busy machines
    assert list_checkpoints(tmp_path) == [result.checkpoint]


def test_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    train(Bowl(), tmp_path, options=options(7, checkpoint_every=2, keep=2))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000006.pt", "step-000000007.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "metrics.jsonl", "training.json"]


def test_tensorboard_is_written_when_asked_for(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(Bowl(), tmp_path, options=options(4, log_every=2, tensorboard=True))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(item.step, round(item.value, 6)) for item in events.Scalars("fall/first")] == [(2, 0.95), (4, 0.7695)]
