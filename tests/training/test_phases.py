"""Phases that take turns, losses of several terms, gradients that are not finite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.training_cases import Bowl, Lines
from torch import Tensor

from monoform.errors import InputError
from monoform.training import Phase, TrainOptions, train


def options(steps: int, **more: Any) -> TrainOptions:
    return TrainOptions(steps, device="cpu", progress=False, **more)


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


class Turns(Bowl):
    """The first number falls at even steps, the second at odd ones."""

    def phases(self) -> list[Phase]:
        self.module.append(torch.nn.Parameter(torch.ones(1, dtype=torch.float64)))
        first, second = ([item] for item in self.module)
        return [
            Phase("even", first, self.fall(0), every=2, optimizer=self.optimizer),
            Phase("odd", second, self.fall(1), every=2, offset=1, optimizer=self.optimizer),
        ]

    def fall(self, which: int) -> Any:
        return lambda batch, step, generator: (0.5 * self.module[which].square().sum(), {"at": torch.tensor(step)})


@pytest.mark.parametrize(("steps", "even", "odd"), [(1, 1, 0), (2, 1, 1), (7, 4, 3)])
def test_phases_take_turns(steps: int, even: int, odd: int, tmp_path: Path) -> None:
    task = Turns(rate=0.1)
    train(task, tmp_path, options=options(steps))
    assert float(task.module[0][0].detach()) == pytest.approx(0.9**even, rel=1e-12)
    assert float(task.module[1][0].detach()) == pytest.approx(0.9**odd, rel=1e-12)


@pytest.mark.parametrize(("every", "offset"), [(1, 1), (2, 2), (3, -1)])
def test_an_offset_lies_below_every(every: int, offset: int) -> None:
    with pytest.raises(InputError, match=f"has the offset {offset}; it must be 0..{every - 1}"):
        Phase("late", (), Bowl().loss, every=every, offset=offset)


def test_a_phase_begins_and_ends() -> None:
    first = Phase("first", (), Bowl().loss, end=3)
    then = Phase("then", (), Bowl().loss, every=2, offset=1, begin=3, end=8)
    assert [step for step in range(12) if first.is_due(step)] == [0, 1, 2]
    assert [step for step in range(12) if then.is_due(step)] == [4, 6]
    for begin, end in ((3, 3), (-1, None)):
        with pytest.raises(InputError, match="it must end after it begins"):
            Phase("never", (), Bowl().loss, begin=begin, end=end)


class Terms(Lines):
    """Three terms, one after the other or at once; how many tensors wait for their gradient when each begins."""

    def __init__(self, *, apart: bool) -> None:
        super().__init__(rows=5)
        self.apart = apart
        self.waiting, self.kept = [], 0

    def parts(self, points: Tensor) -> Iterator[Tensor]:
        for number in range(3):
            self.waiting.append(self.kept)
            yield ((self.module(points * (number + 1)) - points.sum(1, keepdim=True)) ** 2).mean()

    def loss(self, points: Tensor, step: int, generator: torch.Generator) -> Any:
        if not self.apart:
            parts = list(self.parts(points))
            return torch.stack(parts).sum(), {f"part{number}": part for number, part in enumerate(parts)}
        return ((part, {f"part{number}": part}) for number, part in enumerate(self.parts(points)))

    def train(self, out: Path, **more: Any) -> None:
        def kept(tensor: Tensor) -> list[Tensor]:
            self.kept += 1
            # Autograd lets go of this list when the gradient has been computed.
            return Kept([tensor], self)

        with torch.autograd.graph.saved_tensors_hooks(kept, lambda item: item[0]):
            train(self, out, options=options(6, clip=10.0, **more))


class Kept(list):
    """A tensor that waits for its gradient."""

    def __init__(self, content: list[Tensor], owner: Terms) -> None:
        super().__init__(content)
        self.owner = owner

    def __del__(self) -> None:
        self.owner.kept -= 1


def test_terms_are_the_sum_of_their_gradients_and_one_graph_is_there_at_a_time(tmp_path: Path) -> None:
    apart, whole = Terms(apart=True), Terms(apart=False)
    apart.train(tmp_path / "apart", accumulate=2)
    whole.train(tmp_path / "whole", accumulate=2)
    torch.testing.assert_close(apart.module.state_dict(), whole.module.state_dict(), rtol=1e-12, atol=1e-13)
    assert set(apart.waiting) == {0}
    assert whole.waiting[0] == 0 and whole.waiting[2] > whole.waiting[1] > 0
    one, other = lines_of(tmp_path / "apart")[-1], lines_of(tmp_path / "whole")[-1]
    names = ["fit/part0", "fit/part1", "fit/part2", "fit/loss", "fit/gradient"]
    assert [name for name in one if name.startswith("fit/")][:5] == names
    assert [one[name] for name in names] == pytest.approx([other[name] for name in names], rel=1e-12)


def test_a_loss_without_a_term_and_metrics_of_one_name_are_refused(tmp_path: Path) -> None:
    class Twice(Lines):
        def loss(self, points: Tensor, step: int, generator: torch.Generator) -> Any:
            errors = (self.module(points).square().mean() for _ in range(2))
            return ((error, {"error": error}) for error in errors)

    class Never(Lines):
        def loss(self, points: Tensor, step: int, generator: torch.Generator) -> Any:
            return iter(())

    with pytest.raises(InputError, match="Phase 'fit' logs 'error' twice"):
        train(Twice(), tmp_path / "a", options=options(1))
    with pytest.raises(InputError, match="loss of phase 'fit' yields no term"):
        train(Never(), tmp_path / "b", options=options(1))


class Burst(Bowl):
    """At step 3 one gradient is NaN, another infinite."""

    def loss(self, batch: None, step: int, generator: torch.Generator) -> Any:
        x = self.module[0]
        loss = (x * torch.tensor([1.0, 2.0], dtype=torch.float64)).sum()
        if step == 3:
            loss = loss + (0 * x[0]).sqrt() * 0 - torch.where(x[1] > 9, x[1], torch.inf * x[1])
        return loss, {}


def test_zero_sets_gradients_that_are_not_finite_to_zero_and_counts_them(tmp_path: Path) -> None:
    task = Burst(rate=1e-3)
    result = train(task, tmp_path, options=options(5, nonfinite="zero", log_every=1))
    first, second = task.module[0].detach().tolist()
    assert first == pytest.approx(1 - 4e-3) and second == pytest.approx(1 - 4 * 2e-3 + 1e5 * 1e-3)
    assert [line["fall/nonfinite"] for line in lines_of(tmp_path)] == [0, 0, 0, 2, 0]
    assert result.finished and "fall/gradient" not in lines_of(tmp_path)[0]
    with pytest.raises(InputError, match=r"The loss is (nan|-inf) at step 3"):
        train(Burst(rate=1e-3), tmp_path / "raise", options=options(5))
