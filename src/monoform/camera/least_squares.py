"""Levenberg and Marquardt's steps for variables that have a few numbers each, such as poses, many problems at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError

State = Mapping[str, Tensor]
LOWEST, HIGHEST = 1e-7, 1e7
PATIENCE = 5


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """A robust sum of squares around the present values of b hypotheses.

    Attributes:
        cost: half the weighted sum of squares, or what stands for it under a robust loss; never NaN.
        matrix: J^T W J.
        vector: J^T W r, of the residuals r, their derivative J and the weights W.
    """

    cost: Float[Tensor, " b"]
    matrix: Float[Tensor, "b n n"]
    vector: Float[Tensor, "b n"]


@dataclass(frozen=True, eq=False)
class LeastSquaresResult:
    """The lowest cost that was met.

    Attributes:
        values: of the variables, by name.
        equations: at `values`.
        accepted: number of steps that lowered the cost.
        damping: of the last step.
    """

    values: dict[str, Tensor]
    equations: NormalEquations
    accepted: Int[Tensor, " b"]
    damping: Float[Tensor, " b"]


def levenberg_marquardt(
    start: State,
    equations: Callable[[State], NormalEquations],
    move: Callable[[State, Tensor], State],
    *,
    steps: int,
    damping: float = 1e-3,
    tolerance: float = 1e-7,
    patience: int = PATIENCE,
) -> LeastSquaresResult:
    """Minimise the costs of b hypotheses side by side (Marquardt 1963; Madsen et al. 2004, algorithm 3.16, simplified).

    A step solves (A + damping diag A) d = -g; where it lowers the cost it is taken and the damping falls threefold;
    else the values stay and it rises eightfold.

    Args:
        start: tensors by name, all with the first axis b.
        equations: at present values; must not mix hypotheses.
        move: the values after steps (b, n); for poses the motion of `moved`, so that derivatives are those of a motion
            from where they are.
        steps: evaluations after the first.
        tolerance: a share of its cost by which a hypothesis must fall for the step to count.
        patience: it ends after so many steps that did not count for any hypothesis.

    Raises:
        InputError: `steps` is negative, or first axes differ.
    """
    if steps < 0 or len({len(value) for value in start.values()}) != 1:
        raise InputError(
            f"Least squares got {steps} steps and values of {[len(v) for v in start.values()]} hypotheses."
        )
    values = {name: value.detach() for name, value in start.items()}
    present = equations(values)
    count = len(present.cost)
    rate = torch.full_like(present.cost, damping)
    accepted = torch.zeros(count, dtype=torch.int64, device=present.cost.device)
    idle = 0
    for _ in range(steps):
        trial = {name: value.detach() for name, value in move(values, damped_step(present, rate)).items()}
        proposal = equations(trial)
        better = proposal.cost < present.cost
        gain = torch.where(better, present.cost - proposal.cost, torch.zeros_like(rate))
        idle = 0 if bool((gain > tolerance * present.cost).any()) else idle + 1
        values = {name: _chosen(better, trial[name], value) for name, value in values.items()}
        present = NormalEquations(
            _chosen(better, proposal.cost, present.cost),
            _chosen(better, proposal.matrix, present.matrix),
            _chosen(better, proposal.vector, present.vector),
        )
        rate = torch.where(better, rate / 3.0, rate * 8.0).clamp(LOWEST, HIGHEST)
        accepted += better
        if idle == patience:
            break
    return LeastSquaresResult(values, present, accepted, rate)


def damped_step(equations: NormalEquations, damping: Float[Tensor, " b"]) -> Float[Tensor, "b n"]:
    """The step of Levenberg and Marquardt; 0 along what the residuals do not depend on."""
    diagonal = equations.matrix.diagonal(dim1=1, dim2=2)
    # Scaled to a unit diagonal, so that radians, world units and colours meet as equals.
    scale = diagonal.clamp_min(1e-30).rsqrt() * (diagonal > 0)
    matrix = equations.matrix * scale[:, :, None] * scale[:, None, :]
    matrix = matrix + torch.diag_embed(damping[:, None] + 1e-9 + (diagonal <= 0).to(matrix))
    return -scale * torch.linalg.solve(matrix, equations.vector * scale)


def huber(residual: Float[Tensor, "*n"], delta: float) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Huber's loss (1964) and the weight with which a squared residual stands for it, 1 up to `delta`."""
    size = residual.abs()
    loss = torch.where(size < delta, 0.5 * size.square(), delta * (size - 0.5 * delta))
    return loss, torch.where(size < delta, torch.ones_like(size), delta / size.clamp_min(1e-30))


def _chosen(better: Bool[Tensor, " b"], new: Tensor, old: Tensor) -> Tensor:
    return torch.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old)
