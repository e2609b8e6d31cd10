"""Adan: an adaptive optimizer with Nesterov's momentum (Xie et al. 2022, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


class Adan(torch.optim.Optimizer):
    """Moments of the gradient g, of its change d = g - g', and of their extrapolation, squared.

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) d, n <- b3 n + (1 - b3) (g + b2 d)^2; the weights become
    (w - rate (m + b2 v) / (sqrt(n) + epsilon)) / (1 + rate weight_decay). At the first step d is 0, and as in Adam each
    moment is divided by 1 - b^k, as it begins at 0.

    Args:
        params: parameters or groups.
        lr: learning rate.
        betas: b1, b2, b3, each 0 <= b < 1: what stays of a moment. The paper's beta is 1 - b.
        epsilon: added to the root.
        weight_decay: by a proximal step (section 3.2), not within the gradient.

    Raises:
        InputError: an option is outside its range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        betas: tuple[float, ...] = (0.98, 0.92, 0.99),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if len(betas) != 3 or not all(0 <= beta < 1 for beta in betas):
            raise InputError(f"Adan's betas are {betas}; give three, each at least 0 and below 1.")
        if lr < 0 or epsilon < 0 or weight_decay < 0:
            raise InputError(
                f"Adan's rate {lr}, epsilon {epsilon} and weight_decay {weight_decay} must not be negative."
            )
        super().__init__(params, {"lr": lr, "betas": betas, "epsilon": epsilon, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate = self.state[parameter], group["lr"]
        if not state:
            state["step"] = torch.zeros(())
            for name in ("first", "change", "second"):
                state[name] = torch.zeros_like(parameter)
            state["previous"] = gradient.clone()
        state["step"] += 1
        one, two, three = group["betas"]
        change = gradient - state["previous"]
        state["previous"].copy_(gradient)
        state["first"].lerp_(gradient, 1 - one)
        state["change"].lerp_(change, 1 - two)
        ahead = gradient + two * change
        state["second"].mul_(three).addcmul_(ahead, ahead, value=1 - three)
        count = float(state["step"])
        root = (state["second"] / (1 - three**count)).sqrt_().add_(group["epsilon"])
        moved = state["first"] / (1 - one**count) + state["change"] * (two / (1 - two**count))
        parameter.addcdiv_(moved, root, value=-rate).div_(1 + rate * group["weight_decay"])
