"""Tasks with offsets, hooks, several terms and averages of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from tests.training.training_cases import Duel
from tests.training.two_processes import Branches
from torch import Tensor, nn

from monoform.training import Ema, HalfLife, Optimizer, Phase

Term = tuple[Tensor, dict[str, Tensor]]


class HookedDuel(Duel):
    """A duel whose sides take turns, with all that a hook may do.

    `before_step` draws what the losses use, `after_step` clamps weights and moves a buffer by chance and by what the
    critic has seen; only the maker is averaged.
    """

    def __init__(self, happening: Callable[[int], None] | None = None) -> None:
        super().__init__(happening)
        self.module.register_buffer("shift", torch.zeros(2))
        self.module.register_buffer("strength", torch.zeros(()))
        self.module.register_buffer("seen", torch.zeros(()))

    def phases(self) -> list[Phase]:
        adam = Optimizer("adam", 0.01, betas=(0.5, 0.9))
        return [
            Phase("critic", self.critic.parameters, self.judge, every=2, optimizer=adam, observe=self.saw),
            Phase("slope", (), self.slope, every=6, offset=4, shares="critic"),
            Phase("maker", self.maker.parameters, self.make, every=2, offset=1, optimizer=Optimizer("adan", 0.02)),
        ]

    def ema(self) -> Ema:
        return Ema(self.module, HalfLife(20, 5, rampup=0.5), of=[self.maker])

    def before_step(self, step: int, generator: torch.Generator) -> None:
        self.module.shift.copy_(0.1 * torch.randn(2, generator=generator) + 0.01 * torch.randn(2))

    def after_step(self, step: int, generator: torch.Generator) -> None:
        self.critic[0].weight.clamp_(-0.4, 0.4)
        self.module.strength.add_(0.1 * self.module.seen.sign() + 0.01 * torch.rand((), generator=generator))

    def saw(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        self.module.seen.copy_(metrics["real"])

    def judge(self, batch: Any, step: int, generator: torch.Generator) -> Iterator[Term]:  # type: ignore[override]
        real = self.critic(batch["real"] + self.module.shift)
        yield nn.functional.softplus(-real).mean(), {"real": real.mean()}
        yield nn.functional.softplus(self.critic(self._made(generator))).mean(), {}


class HookedBranches(Branches):
    """Two-process task with hooks, an offset, two terms, and a buffer that follows a metric of all micro-batches."""

    def __init__(self, happening: Callable[[int], None] | None = None, *, different: int = 0) -> None:
        super().__init__(happening, different=different)
        self.module.register_buffer("noise", torch.zeros(4, dtype=torch.float64))
        self.module.register_buffer("spread", torch.zeros((), dtype=torch.float64))
        self.module.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def phases(self) -> list[Phase]:
        adan = Optimizer("adan", 0.02, weight_decay=0.1)
        trunk = self.module["trunk"]
        side = [*self.module["branch"].parameters(), *trunk[3].parameters()]
        return [
            Phase("fit", trunk.parameters, self.terms, every=2, optimizer=adan, observe=self.saw),
            Phase("side", side, self.loss, every=2, offset=1, optimizer=adan),
        ]

    def ema(self) -> Ema:
        return Ema(self.module, 0.7, of=[self.module["trunk"]])

    def before_step(self, step: int, generator: torch.Generator) -> None:
        self.module.noise.copy_(torch.randn(4, generator=generator, dtype=torch.float64) + torch.randn(4))

    def after_step(self, step: int, generator: torch.Generator) -> None:
        self.module.seen.mul_(0.9).add_(self.module.spread)
        self.module["branch"].weight.clamp_(-0.3, 0.3)

    def saw(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        self.module.spread.copy_(metrics["spread"])

    def terms(self, points: Tensor, step: int, generator: torch.Generator) -> Iterator[Term]:
        yield self.loss(points + 0.1 * self.module.noise, step, generator)
        yield 0.1 * self.module["trunk"](points).square().mean(), {}
