"""Averaged weights against their closed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.training.training_cases import Bowl
from torch import nn

from monoform.errors import InputError
from monoform.training import Ema, EveryNth, Fixed, HalfLife, TrainOptions, publish, train


def test_closed_form() -> None:
    module = nn.Linear(3, 2).double()
    first = module.weight.detach().clone()
    ema, decay = Ema(module, 0.9, warmup=False), 0.9
    weights = torch.randn(20, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for step, weight in enumerate(weights):
        module.weight.data.copy_(weight)
        ema.update(step)
    shares = (1 - decay) * decay ** torch.arange(19, -1, -1, dtype=torch.float64)
    expected = decay**20 * first + torch.einsum("t,tij->ij", shares, weights)
    torch.testing.assert_close(ema.averages["weight"], expected, rtol=1e-12, atol=1e-12)


def test_warmup_forgets_the_first_weights_sooner() -> None:
    module = nn.Linear(1, 1)
    ema = Ema(module, 0.999)
    assert [ema.decay_at(step) for step in (0, 8, 10**6)] == [0.1, 0.5, 0.999]
    assert Ema(module, 0.999, warmup=False).decay_at(0) == 0.999


def test_buffers_are_copied_and_tied_weights_averaged_once() -> None:
    module = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "norm": nn.BatchNorm1d(2)})
    module["b"] = nn.Linear(2, 2, bias=False)
    module["b"].weight = module["a"].weight
    before = module["a"].weight.detach().clone()
    ema = Ema(module, 0.5, warmup=False)
    module["a"].weight.data += 1
    module["norm"](torch.randn(4, 2))
    ema.update(0)
    for name in ("a.weight", "b.weight"):
        torch.testing.assert_close(ema.averages[name], before + 0.5)
    assert torch.equal(ema.averages["norm.running_mean"], module["norm"].running_mean)
    assert ema.averages["norm.num_batches_tracked"] == 1


def test_applied_gives_the_own_weights_back_also_after_an_error() -> None:
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.5, warmup=False)
    averaged = module.weight.detach().clone()
    module.weight.data += 1
    own = module.weight.detach().clone()
    with pytest.raises(ZeroDivisionError), ema.applied() as inside:
        assert torch.equal(inside.weight, averaged)
        raise ZeroDivisionError
    assert torch.equal(module.weight, own)


@pytest.mark.parametrize("decay", [1.0, -0.1, 2.0])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match=f"averaged weights is {decay}"):
        Ema(nn.Linear(1, 1), decay)


def test_half_lives_are_those_of_the_paper() -> None:
    """Karras et al. 2020: beta = 0.5^(batch / min(half-life, ramp-up x images seen))."""
    plain, ramp = HalfLife(10_000, 32), HalfLife(10_000, 32, rampup=0.05)
    assert plain(0) == plain(10**6) == pytest.approx(0.99778, abs=1e-5)
    kept = 1.0
    for step in range(312, 625):  # 313 steps: 10016 images
        kept *= plain(step)
    assert kept == pytest.approx(0.5, rel=2e-3)
    assert ramp(0) == 0.0 and ramp(100) == pytest.approx(0.5 ** (32 / (0.05 * 3200))) and ramp(10**6) == plain(0)


def test_averages_at_some_steps_only() -> None:
    module = nn.Linear(1, 1, bias=False)
    epoch = EveryNth(5, lambda number: min(0.95, (1 + number) / (10 + number)))
    assert [epoch(step) for step in (0, 3, 4, 5, 9, 14)] == [1, 1, 0.1, 1, 2 / 11, 3 / 12]
    turns = EveryNth(2, Fixed(0.9), offset=0)
    assert [turns(step) for step in range(4)] == [0.9, 1, 0.9, 1]
    ema, before = Ema(module, epoch), module.weight.detach().clone()
    for step in range(5):
        module.weight.data.fill_(float(step))
        ema.update(step)
        if step < 4:
            assert torch.equal(ema.averages["weight"], before)
    torch.testing.assert_close(ema.averages["weight"], 0.1 * before + 0.9 * 4)


def test_chosen_parts_are_averaged_and_swapped() -> None:
    module = nn.ModuleDict({"maker": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), "critic": nn.Linear(2, 1)})
    module["maker2"] = nn.Linear(1, 1)  # a name that begins alike
    ema = Ema(module, 0.5, warmup=False, of=[module["maker"]])
    assert set(ema.averages) == {f"maker.{name}" for name in module["maker"].state_dict()}
    before = module["maker"][0].weight.detach().clone()
    for parameter in module.parameters():
        parameter.data += 1
    own = module["critic"].weight.detach().clone()
    ema.update(0)
    with ema.applied():
        torch.testing.assert_close(module["maker"][0].weight.detach(), before + 0.5)
        assert torch.equal(module["critic"].weight, own)
    torch.testing.assert_close(module["maker"][0].weight.detach(), before + 1)


def test_a_task_says_what_is_averaged(tmp_path: Path) -> None:
    class Told(Bowl):
        def ema(self) -> Ema | None:
            return Ema(self.module, HalfLife(1, 1))

        def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
            return {"first": float(module[0][0].detach())}

    options = TrainOptions(2, device="cpu", progress=False, evaluate_every=2, ema_decay=0.999)
    result = train(Told(), tmp_path, options=options)
    assert result.metrics["evaluate/first"] == pytest.approx(0.25 * 1 + 0.25 * 0.9 + 0.5 * 0.81)
    task = Told()
    assert train(task, tmp_path, options=options).finished  # and goes on from its checkpoint
    save = Told()
    save.module.load_state_dict(task.module.state_dict())
    publish(save.module, Config(), result, tmp_path / "weights", card="x")
    assert float(save.module[0][0].detach()) == pytest.approx(result.metrics["evaluate/first"])


@dataclass(frozen=True)
class Config:
    width: int = 1


def test_parts_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="weights of a Linear outside the module"):
        Ema(nn.Linear(1, 1), 0.9, of=[nn.Linear(1, 1)])
    with pytest.raises(InputError, match="A half-life has images = 0"):
        HalfLife(0, 1)
    with pytest.raises(InputError, match="every = 2 and offset = 2"):
        EveryNth(2, Fixed(0.9), offset=2)
