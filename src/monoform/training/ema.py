"""Exponential moving average of a module's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import InputError


class Ema:
    """Averaged weights beside a module: average <- d average + (1 - d) weight, after each step.

    Args:
        module: parameters are averaged, buffers are copied.
        decay: d, 0 <= d < 1.
        warmup: begin with a shorter memory, d = min(decay, (1 + step) / (10 + step)), so that a short training is
            not dominated by its first weights.
    """

    def __init__(self, module: nn.Module, decay: float, *, warmup: bool = True) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"The decay of the averaged weights is {decay}; it must be at least 0 and below 1.")
        self.module = module
        self.decay = decay
        self.warmup = warmup
        self.averages = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        # By name and not by tensor: tied weights have several names, all of them averaged.
        named = module.state_dict(keep_vars=True).items()
        self._averaged = [name for name, item in named if isinstance(item, nn.Parameter) and item.is_floating_point()]
        self._copied = [name for name in self.averages if name not in set(self._averaged)]

    def decay_at(self, step: int) -> float:
        """d at `step`."""
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as they are after `step`."""
        current = self.module.state_dict()
        for name in self._copied:
            self.averages[name].copy_(current[name])
        if self._averaged:
            average = get_ema_multi_avg_fn(self.decay_at(step))
            average([self.averages[name] for name in self._averaged], [current[name] for name in self._averaged], None)

    @contextmanager
    def applied(self) -> Iterator[nn.Module]:
        """The module with the averaged weights in it; afterwards it has its own again, bit for bit."""
        own = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        self._write(self.averages)
        try:
            yield self.module
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, weights: dict[str, Tensor]) -> None:
        for name, tensor in self.module.state_dict().items():
            tensor.copy_(weights[name])
