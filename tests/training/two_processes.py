"""A task whose processes differ in all they may differ in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from monoform.training import Optimizer, Phase, TrainOptions


class Branches:
    """Least squares with dropout, noise, and a branch that only some micro-batches use.

    Args:
        happening: called with the step at each batch.
        different: begin with other weights; those of the first process must win.
    """

    def __init__(self, happening: Callable[[int], None] | None = None, *, different: int = 0) -> None:
        torch.manual_seed(5 + different)
        self.module = nn.ModuleDict(
            {
                "trunk": nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.25), nn.Linear(8, 1)),
                "branch": nn.Linear(4, 1),
                "never": nn.Linear(4, 1),
            }
        ).double()
        self.module.register_buffer("calls", torch.zeros((), dtype=torch.float64))
        self.happening = happening or (lambda step: None)

    def phases(self) -> list[Phase]:
        return [Phase("fit", self.module.parameters, self.loss, optimizer=Optimizer("adamw", 0.02, weight_decay=0.1))]

    def batch(self, step: int, generator: torch.Generator) -> Tensor:
        self.happening(step)
        return torch.randn(6, 4, generator=generator, dtype=torch.float64)

    def loss(self, points: Tensor, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        noise = torch.randn(6, 4, generator=generator, dtype=torch.float64)
        made = self.module["trunk"](points + 0.1 * noise)
        if points[0, 0] > 0:
            made = made + self.module["branch"](points)
        return (made - points.sum(1, keepdim=True)).square().mean(), {"spread": made.std()}


def options(**changes: Any) -> TrainOptions:
    """The same for one process and for two."""
    return TrainOptions(12, ema_decay=0.7, clip=1.0, log_every=3, device="cpu", **changes)
