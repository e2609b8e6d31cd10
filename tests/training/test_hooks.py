"""What is done before and after a step: once, alike everywhere, the same again after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.hooked_cases import HookedDuel
from tests.training.test_resume import assert_equal_runs, at_batch, interrupt
from tests.training.training_cases import Bowl, Lines, duel_options

from monoform.training import Ema, TrainOptions, list_checkpoints, load_checkpoint, train


def options(steps: int, **more: Any) -> TrainOptions:
    return TrainOptions(steps, device="cpu", progress=False, **more)


class Noted(Lines):
    """Notes each call, what it draws, and whether gradients are on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []
        self.drawn: list[float] = []

    def before_step(self, step: int, generator: torch.Generator) -> None:
        assert not torch.is_grad_enabled()
        self.calls.append(("before", step))
        self.drawn += [float(torch.rand((), generator=generator)), float(torch.rand(()))]

    def after_step(self, step: int, generator: torch.Generator) -> None:
        assert not torch.is_grad_enabled()
        self.calls.append(("after", step))
        self.drawn += [float(torch.rand((), generator=generator)), float(torch.rand(()))]

    def loss(self, points: Any, step: int, generator: torch.Generator) -> Any:
        self.calls.append(("loss", step))
        return super().loss(points, step, generator)


def test_once_a_step_whatever_the_micro_batches(tmp_path: Path) -> None:
    one, three = Noted(), Noted()
    train(one, tmp_path / "one", options=options(4))
    train(three, tmp_path / "three", options=options(4, accumulate=3))
    assert one.calls == [(what, step) for step in range(4) for what in ("before", "loss", "after")]
    assert three.calls == [(what, step) for step in range(4) for what in ("before", "loss", "loss", "loss", "after")]
    assert one.drawn == three.drawn and len(set(one.drawn)) == 16
    other = Noted()
    train(other, tmp_path / "other", options=options(4, seed=1))
    assert not set(other.drawn) & set(one.drawn)


def test_a_hook_alone_is_enough_and_losses_draw_as_without_it(tmp_path: Path) -> None:
    class Before(Lines):
        def before_step(self, step: int, generator: torch.Generator) -> None:
            torch.rand(7), torch.rand(3, generator=generator)

    plain, hooked = Lines(), Before()
    train(plain, tmp_path / "a", options=options(5))
    train(hooked, tmp_path / "b", options=options(5))
    assert torch.equal(plain.module.weight, hooked.module.weight)


def test_averages_are_of_weights_as_after_step_leaves_them(tmp_path: Path) -> None:
    class Clamped(Bowl):
        def after_step(self, step: int, generator: torch.Generator) -> None:
            self.module[0].clamp_(min=0.95)

        def ema(self) -> Ema:
            return Ema(self.module, 0.5, warmup=False)

    result = train(Clamped(rate=0.1), tmp_path, options=options(1))
    averages = load_checkpoint(result.checkpoint).ema
    assert averages is not None and averages["0"].tolist() == pytest.approx([0.975, 0.975])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hooked")
    train(HookedDuel(), out, options=duel_options(ema_decay=None))
    return out


@pytest.mark.parametrize("batch", [1, 4, 8, 11, 20])
def test_resumed_equals_uninterrupted(batch: int, uninterrupted: Path, tmp_path: Path) -> None:
    first = train(HookedDuel(at_batch(batch, interrupt)), tmp_path, options=duel_options(ema_decay=None))
    assert not first.finished
    assert train(HookedDuel(), tmp_path, options=duel_options(ema_decay=None)).finished
    assert_equal_runs(tmp_path, uninterrupted)


def test_the_hooks_of_the_duel_do_something(uninterrupted: Path) -> None:
    checkpoint = load_checkpoint(list_checkpoints(uninterrupted)[-1])
    assert float(checkpoint.model["critic.0.weight"].abs().max()) == pytest.approx(0.4)
    assert float(checkpoint.model["strength"]) != 0 and float(checkpoint.model["shift"].abs().min()) > 0
    assert checkpoint.ema is not None and all(name.startswith("maker.") for name in checkpoint.ema)
    assert set(checkpoint.optimizers) == {"critic", "maker"}


def test_a_module_is_what_a_hook_may_set_to_evaluation(tmp_path: Path) -> None:
    class Still(Lines):
        def before_step(self, step: int, generator: torch.Generator) -> None:
            self.module.train(step > 0)

        def loss(self, points: Any, step: int, generator: torch.Generator) -> Any:
            assert self.module.training == (step > 0)
            return super().loss(points, step, generator)

    task = Still()
    train(task, tmp_path, options=options(3, accumulate=2))
    assert not torch.equal(task.module.weight, Lines().module.weight)
