"""Positional encodings."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FrequencyEncoding(nn.Module):
    """Sines and cosines of coordinates at doubling frequencies, as pixelNeRF stores and orders them.

    pixelNeRF (Yu et al. 2021, section B.1), after NeRF (Mildenhall et al. 2020, equation 4). The output is
    [x, sin(f0 x), cos(f0 x), sin(f1 x), cos(f1 x), ...] in blocks of `dimensions`, with f_k = factor * 2^k radians per
    unit; the cosine is sin(. + pi/2). Both buffers are part of published checkpoints.

    Args:
        frequencies: number of frequencies.
        dimensions: of the input.
        factor: lowest frequency, in radians per unit.
        include_input: whether the input itself comes first.
        stored: whether both buffers are part of the state dict; NeRF's checkpoints do not have them.
    """

    _freqs: Float[Tensor, "1 two_k 1"]
    _phases: Float[Tensor, "1 two_k 1"]

    def __init__(
        self,
        frequencies: int = 6,
        dimensions: int = 3,
        *,
        factor: float = 1.5,
        include_input: bool = True,
        stored: bool = True,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.include_input = include_input
        self.output_dimensions = dimensions * (2 * frequencies + int(include_input))
        octaves = factor * 2.0 ** torch.arange(frequencies)
        self.register_buffer("_freqs", octaves.repeat_interleave(2).reshape(1, -1, 1), persistent=stored)
        phases = torch.tensor([0.0, 0.5 * math.pi]).repeat(frequencies)
        self.register_buffer("_phases", phases.reshape(1, -1, 1), persistent=stored)

    def forward(self, x: Float[Tensor, "n dimensions"]) -> Float[Tensor, "n encoded"]:
        waves = torch.sin(torch.addcmul(self._phases, x[:, None, :], self._freqs)).flatten(1)
        return torch.cat((x, waves), dim=-1) if self.include_input else waves
