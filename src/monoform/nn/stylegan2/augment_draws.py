"""Random numbers of augmentations, one for each image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


class Draws:
    """Draws for a batch; with a percentile every parameter stands there in its distribution instead.

    Args:
        count: images.
        p: strength of all augmentations, 0..1, a tensor without dimensions.
        device: of the numbers.
        generator: on the device.
        percentile: 0..1, or None to draw.
    """

    def __init__(
        self,
        count: int,
        p: Float[Tensor, ""],
        device: torch.device,
        generator: torch.Generator | None,
        percentile: float | None,
    ) -> None:
        self.count, self.p, self.device = count, p, device
        self.generator, self.percentile = generator, percentile

    def uniform(self) -> Float[Tensor, " b"]:
        """In 0..1."""
        if self.percentile is not None:
            return self._full(self.percentile)
        return torch.rand(self.count, generator=self.generator, device=self.device)

    def normal(self) -> Float[Tensor, " b"]:
        """Of unit variance; at a percentile of the error function, which is a normal one's of variance 1/2."""
        if self.percentile is not None:
            return torch.erfinv(self._full(self.percentile) * 2 - 1)
        return torch.randn(self.count, generator=self.generator, device=self.device)

    def half_normal(self) -> Float[Tensor, " b"]:
        """The absolute value of a normal number."""
        if self.percentile is not None:
            return torch.erfinv(self._full(self.percentile))
        return self.normal().abs()

    def log_normal(self, spread: float) -> Float[Tensor, " b"]:
        """2 to the power of a normal number with this deviation."""
        return torch.exp2(self.normal() * spread)

    def integer(self, below: int) -> Float[Tensor, " b"]:
        """0 .. below - 1, as floating numbers."""
        return (self.uniform() * below).floor()

    def chosen(self, often: float, value: Tensor, neutral: float) -> Float[Tensor, " b"]:
        """The value with the probability `often` p, else what changes nothing."""
        return self.when(often * self.p, value, neutral)

    def when(self, probability: Tensor, value: Tensor, neutral: float) -> Float[Tensor, " b"]:
        """The value with a probability, else what changes nothing; always where a percentile is asked for."""
        if self.percentile is not None:
            return value
        coin = torch.rand(self.count, generator=self.generator, device=self.device)
        return torch.where(coin < probability, value, torch.full_like(value, neutral))

    def pair(self, often: float, draw: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        """Two draws under one coin, 0 where it says no."""
        x, y = draw(), draw()
        if self.percentile is not None:
            return x, y
        on = torch.rand(self.count, generator=self.generator, device=self.device) < often * self.p
        return torch.where(on, x, torch.zeros_like(x)), torch.where(on, y, torch.zeros_like(y))

    def _full(self, value: float) -> Tensor:
        return torch.full((self.count,), value, device=self.device)
