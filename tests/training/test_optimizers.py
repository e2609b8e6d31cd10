"""Optimizers against their equations, written naively in double precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.training.training_cases import Lines, assert_same_bits, final_state
from torch import Tensor

import monoform.training
from monoform.errors import InputError
from monoform.training import Adan, Optimizer, TrainOptions, train


def gradients(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [torch.randn(3, 2, dtype=torch.float64, generator=generator) for _ in range(count)]


def run(build: Callable[[list[Tensor]], torch.optim.Optimizer], count: int = 12) -> Tensor:
    """The weights after steps along fixed gradients."""
    weight = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    optimizer = build([weight])
    for gradient in gradients(count):
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.98, 0.92, 0.99), (0.9, 0.5, 0.7)])
def test_adan_is_that_of_the_paper(betas: tuple[float, float, float], decay: float) -> None:
    """Algorithm 1 with the paper's beta = 1 - b, number by number; moments corrected for having begun at zero."""
    rate, epsilon = 0.05, 1e-8
    b1, b2, b3 = (1 - each for each in betas)
    expected = []
    for place in range(6):
        weight, m, v, n, before = 1.0, 0.0, 0.0, 0.0, None
        for k, gradient in enumerate(gradients(12), start=1):
            g = float(gradient.flatten()[place])
            before = g if before is None else before
            m = (1 - b1) * m + b1 * g
            v = (1 - b2) * v + b2 * (g - before)
            n = (1 - b3) * n + b3 * (g + (1 - b2) * (g - before)) ** 2
            mean, change, square = m / (1 - (1 - b1) ** k), v / (1 - (1 - b2) ** k), n / (1 - (1 - b3) ** k)
            step = rate / (square**0.5 + epsilon)
            weight = (weight - step * (mean + (1 - b2) * change)) / (1 + decay * rate)
            before = g
        expected.append(weight)
    found = run(lambda weights: Adan(weights, rate, betas=betas, epsilon=epsilon, weight_decay=decay))
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-13)
    if decay:
        free = run(lambda weights: Adan(weights, rate, betas=betas, epsilon=epsilon))
        assert float((found - free).abs().max()) > 0.01


def test_adan_finds_a_minimum_and_leaves_alone_what_has_no_gradient() -> None:
    weight, other = (torch.full((2,), 3.0, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = Adan([{"params": [weight, other]}], 0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = ((weight - torch.tensor([1.0, -2.0], dtype=torch.float64)) ** 2).sum()
        loss.backward()
        return loss.detach()

    first = optimizer.step(closure)
    for _ in range(1000):
        last = optimizer.step(closure)
    assert float(first) == 29 and float(last) < 1e-3 and (other == 3).all()


NAMED = {
    "adam": lambda weights: torch.optim.Adam(weights, 0.02, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "adamw": lambda weights: torch.optim.AdamW(weights, 0.02, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "sgd": lambda weights: torch.optim.SGD(weights, 0.02, momentum=0.7, weight_decay=0.1),
    "adan": lambda weights: Adan(weights, 0.02, epsilon=1e-3, weight_decay=0.1),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_and_its_options(name: str) -> None:
    options = Optimizer(name, 0.02, betas=(0.8, 0.9), epsilon=1e-3, weight_decay=0.1, momentum=0.7)
    found = run(lambda weights: options.over([{"params": weights}]))
    assert torch.equal(found, run(NAMED[name]))
    assert len({float(run(build)[0, 0]) for build in NAMED.values()}) == 4


def test_three_betas_reach_adan() -> None:
    own = run(lambda weights: Optimizer("adan", 0.02, betas=(0.5, 0.6, 0.7)).over([{"params": weights}]))
    assert torch.equal(own, run(lambda weights: Adan(weights, 0.02, betas=(0.5, 0.6, 0.7))))


def test_any_optimizer_can_be_built_and_resumed(tmp_path: Path) -> None:
    def task() -> Lines:
        return Lines(optimizer=Optimizer(build=lambda groups: torch.optim.RMSprop(groups, 0.01, momentum=0.5)))

    options = [TrainOptions(steps, device="cpu", progress=False) for steps in (4, 8)]
    whole = task()
    train(whole, tmp_path / "whole", options=options[1])
    train(task(), tmp_path / "parts", options=options[0])
    train(task(), tmp_path / "parts", options=options[1])
    assert_same_bits(final_state(tmp_path / "whole"), final_state(tmp_path / "parts"))
    bare = Lines()
    optimizer = torch.optim.RMSprop(bare.module.parameters(), 0.01, momentum=0.5)
    for points in whole.seen:
        optimizer.zero_grad()
        bare.loss(points, 0, torch.Generator())[0].backward()
        optimizer.step()
    assert torch.equal(whole.module.weight, bare.module.weight)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "adagrad"}, "no optimizer 'adagrad': choose one of adam, adamw, sgd, adan"),
        ({"name": "adan", "betas": (0.9, 1.0, 0.9)}, "Adan's betas are"),
        ({"name": "adan", "rate": -1.0}, "must not be negative"),
        ({"name": "adam", "betas": (0.9, 0.9, 0.9)}, "takes two betas"),
    ],
)
def test_options_that_are_none(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Optimizer(**options).over([{"params": [torch.ones(1, requires_grad=True)]}])


def test_the_former_name_still_works() -> None:
    with pytest.warns(DeprecationWarning, match="Optimiser is now Optimizer"):
        former = monoform.training.Optimiser  # type: ignore[attr-defined]
    assert former is Optimizer
    with pytest.raises(AttributeError, match="no attribute 'Optimizers'"):
        monoform.training.Optimizers  # type: ignore[attr-defined]  # noqa: B018
