"""Small tasks whose training is known, or as awkward as can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from monoform.training import Constant, Cosine, Optimizer, Phase, TrainOptions, list_checkpoints, load_checkpoint


class Bowl:
    """half the sum of curvature x^2, from x = 1; gradient descent is known in closed form."""

    def __init__(self, *, rate: float = 0.1, schedule: Any = None) -> None:
        self.module = nn.ParameterList([nn.Parameter(torch.ones(2, dtype=torch.float64))])
        self.curvature = torch.tensor([1.0, 4.0], dtype=torch.float64)
        self.optimizer = Optimizer("sgd", rate)
        self.schedule = schedule or Constant()

    def phases(self) -> list[Phase]:
        return [Phase("fall", self.module.parameters, self.loss, optimizer=self.optimizer, schedule=self.schedule)]

    def batch(self, step: int, generator: torch.Generator) -> None:
        return None

    def loss(self, batch: None, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.module[0]
        return 0.5 * (self.curvature * x * x).sum(), {"first": x[0]}


class Lines:
    """Least squares on random points; `rows` of them a micro-batch, or all shards of a step at once."""

    def __init__(self, *, rows: int = 6, shards: int = 1, optimizer: Optimizer | None = None) -> None:
        torch.manual_seed(3)
        self.module = nn.Linear(4, 1).double()
        self.rows, self.shards = rows, shards
        self.optimizer = optimizer or Optimizer("adam", 0.05)
        self.seen: list[Tensor] = []

    def phases(self) -> list[Phase]:
        return [Phase("fit", self.module.parameters, self.loss, optimizer=self.optimizer)]

    def batch(self, step: int, generator: torch.Generator) -> Tensor:
        points = torch.randn(self.rows, 4, generator=generator, dtype=torch.float64)
        self.seen.append(points)
        return points

    def loss(self, points: Tensor, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return (self.module(points) - points.sum(1, keepdim=True)).square().mean(), {}


class Duel:
    """An adversary with all that makes resuming hard.

    Two phases of different `every`, a third that shares an optimizer, dropout, batch statistics, noise from the loss's
    generator and from the global ones. `happening` is called at each batch.
    """

    def __init__(self, happening: Callable[[int], None] | None = None) -> None:
        torch.manual_seed(7)
        self.maker = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
        self.critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
        self.module = nn.ModuleDict({"maker": self.maker, "critic": self.critic})
        self.happening = happening or (lambda step: None)

    def phases(self) -> list[Phase]:
        schedule = Cosine(40, warmup=3)
        adam = Optimizer("adam", 0.01, betas=(0.5, 0.9))
        return [
            Phase("critic", self.critic.parameters, self.judge, optimizer=adam, schedule=schedule),
            Phase("slope", (), self.slope, every=4, shares="critic"),
            Phase("maker", self.maker.parameters, self.make, every=3, optimizer=Optimizer("adamw", 0.02)),
        ]

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Any]:
        self.happening(step)
        return {"real": torch.randn(5, 2, generator=generator) + 2.0, "names": ["a"]}

    def _made(self, generator: torch.Generator) -> Tensor:
        return self.maker(torch.randn(5, 3, generator=generator)) + 0.01 * torch.randn(5, 2)

    def judge(self, batch: Any, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        real, made = self.critic(batch["real"]), self.critic(self._made(generator))
        return nn.functional.softplus(made).mean() + nn.functional.softplus(-real).mean(), {"real": real.mean()}

    def slope(self, batch: Any, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        points = batch["real"].requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(points).sum(), points, create_graph=True)
        return gradient.square().sum(1).mean(), {}

    def make(self, batch: Any, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return nn.functional.softplus(-self.critic(self._made(generator))).mean(), {}

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        assert not module.training
        # Draws at will: a training must not be changed by being watched.
        return {"score": float(self.maker(torch.randn(4, 3)).mean().detach())}


def duel_options(**changes: Any) -> TrainOptions:
    """Options under which a duel meets everything that is resumed."""
    given: dict[str, Any] = dict(  # noqa: C408
        steps=12, accumulate=2, ema_decay=0.8, clip=1.0, checkpoint_every=4, evaluate_every=5, log_every=3, device="cpu"
    )
    return TrainOptions(**{**given, **changes})


def final_state(out: Path) -> dict[str, Any]:
    """Everything of the last checkpoint but the time it took."""
    checkpoint = load_checkpoint(list_checkpoints(out)[-1])
    return {name: getattr(checkpoint, name) for name in COMPARED if name != "seconds"}


COMPARED = ("step", "model", "ema", "optimizers", "options", "sums", "counts")


def assert_same_bits(first: Any, second: Any, where: str = "") -> None:
    """Equal in every bit, through all containers."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_same_bits(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for number, pair in enumerate(zip(first, second, strict=True)):
            assert_same_bits(*pair, f"{where}/{number}")
    elif isinstance(first, Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second), where
    else:
        assert first == second, where
