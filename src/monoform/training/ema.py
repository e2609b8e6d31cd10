"""Exponential moving average of the weights of a module, or of chosen parts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import InputError
from .ema_decay import Decay, Fixed, WarmUp


class Ema:
    """Averaged weights beside a module: average <- d average + (1 - d) weight, after each step.

    Args:
        module: parameters are averaged, buffers are copied.
        decay: d, 0 <= d < 1, or a function of the step such as those of `monoform.training.ema_decay`, 0 <= d <= 1; at
            a step where it is 1 the averages stay.
        warmup: of a number: begin with a shorter memory, d = min(decay, (1 + step) / (10 + step)), so that a short
            training is not dominated by its first weights.
        of: parts of `module` that are averaged, for example the generator alone; None for all of it.

    Raises:
        InputError: the number is outside its range, or a part is not within the module.
    """

    def __init__(
        self,
        module: nn.Module,
        decay: float | Decay,
        *,
        warmup: bool = True,
        of: Iterable[nn.Module] | None = None,
    ) -> None:
        self.module = module
        self.decay_at: Decay = _decay(decay, warmup=warmup)
        names = _names(module, of)
        self.averages = {name: tensor.detach().clone() for name, tensor in module.state_dict().items() if name in names}
        # By name and not by tensor: tied weights have several names, all of them averaged.
        named = module.state_dict(keep_vars=True)
        self._averaged = [
            name for name in self.averages if isinstance(named[name], nn.Parameter) and named[name].is_floating_point()
        ]
        self._copied = [name for name in self.averages if name not in set(self._averaged)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as they are after `step`."""
        current = self.module.state_dict()
        for name in self._copied:
            self.averages[name].copy_(current[name])
        decay = self.decay_at(step)
        if self._averaged and decay != 1:
            average = get_ema_multi_avg_fn(decay)
            average([self.averages[name] for name in self._averaged], [current[name] for name in self._averaged], None)

    @contextmanager
    def applied(self) -> Iterator[nn.Module]:
        """The module with the averaged weights in it; afterwards it has its own again, bit for bit."""
        current = self.module.state_dict()
        own = {name: current[name].detach().clone() for name in self.averages}
        self._write(self.averages)
        try:
            yield self.module
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, weights: Mapping[str, Tensor]) -> None:
        current = self.module.state_dict()
        for name, tensor in weights.items():
            current[name].copy_(tensor)


def _decay(decay: float | Callable[[int], float], *, warmup: bool) -> Decay:
    if callable(decay):
        return decay
    if not 0 <= decay < 1:
        raise InputError(f"The decay of the averaged weights is {decay}; it must be at least 0 and below 1.")
    return WarmUp(decay) if warmup else Fixed(decay)


def _names(module: nn.Module, of: Iterable[nn.Module] | None) -> set[str]:
    """Names of the averaged tensors in the module's state."""
    known = module.state_dict().keys()
    if of is None:
        return set(known)
    prefixes = []
    for part in of:
        prefix = next((name for name, item in module.named_modules() if item is part), None)
        if prefix is None:
            raise InputError(f"The weights of a {type(part).__name__} outside the module cannot be averaged.")
        prefixes.append(f"{prefix}." if prefix else "")
    return {name for name in known if name.startswith(tuple(prefixes))}
