"""Adam on named tensors whose first axis counts hypotheses, any of which can be left out on the way."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """Kingma and Ba 2015, algorithm 1; elementwise, so hypotheses do not meet.

    `torch.optim.Adam` keeps its moments by parameter; here they are thinned out together with the hypotheses.

    Args:
        betas: decays of the two moments, each at least 0 and below 1.

    Raises:
        InputError: a decay is outside its range.
    """

    def __init__(self, betas: tuple[float, float] = BETAS) -> None:
        if not all(0 <= beta < 1 for beta in betas):
            raise InputError(f"Adam's betas are {betas}; each must be at least 0 and below 1.")
        self.betas = betas
        self._moments: dict[str, tuple[Tensor, Tensor]] = {}
        self._steps = 0

    def update(self, gradients: Mapping[str, Tensor], rates: Mapping[str, float]) -> dict[str, Tensor]:
        """The increment of each value."""
        self._steps += 1
        one, two = self.betas
        result = {}
        for name, gradient in gradients.items():
            zero = torch.zeros_like(gradient)
            first, second = self._moments.get(name, (zero, zero))
            first = one * first + (1 - one) * gradient
            second = two * second + (1 - two) * gradient.square()
            self._moments[name] = (first, second)
            mean = first / (1 - one**self._steps)
            spread = (second / (1 - two**self._steps)).sqrt()
            result[name] = -rates[name] * mean / (spread + EPSILON)
        return result

    def select(self, rows: Tensor) -> None:
        """Go on with these hypotheses only (indices)."""
        for name, (first, second) in self._moments.items():
            chosen = rows.to(first.device)
            self._moments[name] = (first[chosen], second[chosen])


def clipped(gradients: Mapping[str, Tensor], limit: float) -> dict[str, Tensor]:
    """Gradients scaled down, in each hypothesis apart, to a joint norm of at most `limit`."""
    squares = torch.stack([g.square().reshape(len(g), -1).sum(1).double().cpu() for g in gradients.values()])
    factor = (limit / squares.sum(0).sqrt().clamp_min(1e-300)).clamp(max=1.0)
    return {
        name: gradient * factor.to(gradient).reshape(-1, *[1] * (gradient.ndim - 1))
        for name, gradient in gradients.items()
    }
