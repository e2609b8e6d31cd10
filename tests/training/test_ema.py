"""Averaged weights against their closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monoform.errors import InputError
from monoform.training import Ema


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
