"""Frequency encoding against the formula written out."""

from __future__ import annotations

import math

import pytest
import torch

from monoform.nn import FrequencyEncoding


@pytest.mark.parametrize(
    ("frequencies", "dimensions", "factor", "include_input"),
    [(6, 3, 1.5, True), (4, 2, math.pi, False), (1, 1, 1.0, True)],
)
def test_blocks_are_sines_and_cosines_in_order(
    frequencies: int, dimensions: int, factor: float, include_input: bool
) -> None:
    encode = FrequencyEncoding(frequencies, dimensions, factor=factor, include_input=include_input).double()
    x = torch.randn(5, dimensions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    blocks = [x] if include_input else []
    for k in range(frequencies):
        blocks += [torch.sin(factor * 2**k * x), torch.cos(factor * 2**k * x)]
    expected = torch.cat(blocks, dim=-1)
    assert expected.shape[-1] == encode.output_dimensions
    # The stored phases are float32: pi/2 is off by 4e-8, the factor pi by 1e-7 times the frequency.
    assert torch.allclose(encode(x), expected, atol=1e-5)


def test_buffers_have_the_published_names_and_shapes() -> None:
    state = FrequencyEncoding(6, 3).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "_freqs": (1, 12, 1),
        "_phases": (1, 12, 1),
    }
