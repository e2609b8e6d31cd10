"""Random numbers of a training's step, so that a test can give them instead."""

from __future__ import annotations

import torch
from torch import Tensor

from ..nn.stylegan2 import Noise
from ..render import RaySampleNoise


class Chance:
    """Random numbers of a step.

    Args:
        generator: they come from, on the device of the networks.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, *shape: int) -> Tensor:
        """In 0..1."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0 and variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.generator.device)

    def places(self) -> RaySampleNoise | torch.Generator | None:
        """Where the rays of a rendering are sampled."""
        return self.generator

    def noise(self) -> Noise:
        """What the layers of the planes add."""
        return self.generator
