"""Which optimizer a phase has: one of those known by name, or any that a function builds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError
from .adan import Adan

Groups = list[dict[str, Any]]


@dataclass(frozen=True)
class Optimizer:
    """Which optimizer and its options; what the chosen one does not have is not used.

    Attributes:
        name: "adam", "adamw", "sgd" or "adan".
        rate: learning rate before the schedule; a parameter group may have its own under "lr".
        betas: decays of the moments: two for adam and adamw; three for adan, where two stand for its own default.
        epsilon: added to the root of the second moment (adam, adamw, adan).
        weight_decay: pull towards zero: within the gradient for adam and sgd, beside it for adamw and adan.
        momentum: of sgd.
        fused: compute adam and adamw in one kernel: many times faster for large tables on a CPU, rounded differently.
        build: builds any other torch optimizer over parameter groups; nothing else of these options is then used.
    """

    name: str = "adamw"
    rate: float = 1e-3
    betas: tuple[float, ...] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    fused: bool = False
    build: Callable[[Groups], torch.optim.Optimizer] | None = None

    def over(self, groups: Groups) -> torch.optim.Optimizer:
        """The torch optimizer over parameter groups.

        Raises:
            InputError: no optimizer has this name.
        """
        if self.build is not None:
            return self.build(groups)
        if self.name not in KNOWN:
            raise InputError(f"There is no optimizer {self.name!r}: choose one of {', '.join(KNOWN)}.")
        return KNOWN[self.name](self, groups)


def _adam(options: Optimizer, groups: Groups) -> torch.optim.Optimizer:
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options.name]
    if len(options.betas) != 2:
        raise InputError(f"The optimizer {options.name} takes two betas, not {options.betas}.")
    first, second = options.betas
    fused = {"fused": True} if options.fused else {}
    return kind(
        groups,
        options.rate,
        betas=(first, second),
        eps=options.epsilon,
        weight_decay=options.weight_decay,
        **fused,
    )


def _sgd(options: Optimizer, groups: Groups) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, options.rate, momentum=options.momentum, weight_decay=options.weight_decay)


def _adan(options: Optimizer, groups: Groups) -> torch.optim.Optimizer:
    betas = {"betas": options.betas} if len(options.betas) == 3 else {}
    return Adan(groups, options.rate, epsilon=options.epsilon, weight_decay=options.weight_decay, **betas)


KNOWN: dict[str, Callable[[Optimizer, Groups], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": _adam,
    "sgd": _sgd,
    "adan": _adan,
}
