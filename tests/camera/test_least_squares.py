"""Levenberg and Marquardt's steps on problems whose minimum is known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monoform.camera.least_squares import NormalEquations, State, damped_step, huber, levenberg_marquardt
from monoform.errors import InputError

TARGET = torch.tensor([[1.0, -2.0, 0.5], [4.0, 0.0, -1.0]], dtype=torch.float64)
SCALES = torch.tensor([1.0, 100.0, 0.01], dtype=torch.float64)


def bowl(values: State) -> NormalEquations:
    """Each hypothesis' distance to a target of its own, in units that differ by ten thousand."""
    residual = (values["x"] - TARGET) * SCALES
    matrix = torch.diag(SCALES.square()).expand(2, 3, 3)
    return NormalEquations(0.5 * residual.square().sum(-1), matrix, residual * SCALES)


def add(values: State, step: Tensor) -> State:
    return {"x": values["x"] + step}


def test_a_quadratic_is_solved_in_a_few_steps_whatever_its_units() -> None:
    start = {"x": torch.zeros(2, 3, dtype=torch.float64)}
    found = levenberg_marquardt(start, bowl, add, steps=6, damping=1e-3)
    torch.testing.assert_close(found.values["x"], TARGET, atol=1e-8, rtol=0)
    assert torch.equal(start["x"], torch.zeros(2, 3, dtype=torch.float64))
    assert (found.equations.cost < 1e-12).all() and (found.accepted >= 2).all()


def valley(values: State) -> NormalEquations:
    """Rosenbrock's valley: residuals 10 (y - x^2) and 1 - x."""
    x, y = values["x"].unbind(-1)
    residual = torch.stack((10 * (y - x * x), 1 - x), dim=-1)
    rows = torch.stack(
        (torch.stack((-20 * x, torch.full_like(x, 10.0)), -1), torch.stack((-torch.ones_like(x), 0 * x), -1)), 1
    )
    return NormalEquations(
        0.5 * residual.square().sum(-1), rows.mT @ rows, (rows.mT @ residual[..., None])[..., 0]
    )  # fmt: skip


def test_a_curved_valley_is_followed_and_hypotheses_do_not_meet() -> None:
    starts = torch.tensor([[-1.2, 1.0], [2.0, -3.0], [1.0, 1.0]], dtype=torch.float64)
    together = levenberg_marquardt({"x": starts}, valley, add, steps=60)
    torch.testing.assert_close(together.values["x"], torch.ones_like(starts), atol=1e-5, rtol=0)
    alone = levenberg_marquardt({"x": starts[1:2]}, valley, add, steps=60)
    torch.testing.assert_close(alone.values["x"], together.values["x"][1:2], atol=1e-6, rtol=0)
    assert int(together.accepted[2]) == 0


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=2), st.integers(0, 6))
def test_the_cost_never_rises(start: list[float], steps: int) -> None:
    values = {"x": torch.tensor([start], dtype=torch.float64)}
    found = levenberg_marquardt(values, valley, add, steps=steps)
    assert float(found.equations.cost[0]) <= float(valley(values).cost[0])
    torch.testing.assert_close(valley(found.values).cost, found.equations.cost)


def test_what_does_not_matter_stays() -> None:
    matrix = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    equations = NormalEquations(torch.ones(1).double(), matrix, torch.tensor([[1.0, 0.0]]).double())
    step = damped_step(equations, torch.zeros(1).double())
    torch.testing.assert_close(step, torch.tensor([[-0.5, 0.0]]).double(), atol=1e-6, rtol=1e-6)


def test_huber_is_squared_within_and_linear_beyond_with_the_weight_of_its_slope() -> None:
    residual = torch.linspace(-1, 1, 41, dtype=torch.float64, requires_grad=True)
    loss, weight = huber(residual, 0.3)
    (slope,) = torch.autograd.grad(loss.sum(), residual)
    torch.testing.assert_close(slope, (weight * residual).detach())
    assert float(slope.abs().max()) == pytest.approx(0.3)
    within = residual.detach().abs() < 0.3
    torch.testing.assert_close(loss.detach()[within], 0.5 * residual.detach()[within].square())


def test_refusals() -> None:
    with pytest.raises(InputError, match="hypotheses"):
        levenberg_marquardt({"a": torch.zeros(2, 1), "b": torch.zeros(3, 1)}, bowl, add, steps=1)
    with pytest.raises(InputError, match="steps"):
        levenberg_marquardt({"x": torch.zeros(2, 3)}, bowl, add, steps=-1)
