"""Compositing of rays with any number of samples against the padded one, and its gradient against autograd's."""

from __future__ import annotations

import torch

from monoform.render.compositing import weights_from_density
from monoform.render.packed import composite_packed

COUNTS = torch.tensor([4, 0, 7, 1, 0, 3])


def drawn(scale: float = 3.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    total = int(COUNTS.sum())

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    return (
        (random(total) * scale).requires_grad_(),
        random(total, 3).requires_grad_(),
        0.2 + random(total),
        random(total),
    )


def plain(density, rgb, length, distance) -> tuple[torch.Tensor, ...]:
    """Ray by ray with autograd's own gradients."""
    colors, alphas, depths, first = [], [], [], 0
    for count in COUNTS.tolist():
        part = slice(first, first + count)
        weights = weights_from_density(density[None, part], length[None, part])[0]
        colors.append((weights[:, None] * rgb[part]).sum(0))
        alphas.append(weights.sum())
        depths.append((weights * distance[part]).sum())
        first += count
    return torch.stack(colors), torch.stack(alphas), torch.stack(depths)


def test_values_and_gradients_are_those_of_each_ray_alone() -> None:
    density, rgb, length, distance = drawn(scale=1.0)
    seen = composite_packed(density, rgb, length, distance, COUNTS, stop=0.0)
    colors, alphas, depths = plain(density, rgb, length, distance)
    for ours, theirs in ((seen.rgb, colors), (seen.alpha, alphas), (seen.depth, depths)):
        torch.testing.assert_close(ours, theirs)
    generator = torch.Generator().manual_seed(1)
    asked = torch.randn(6, 3, generator=generator).double(), torch.randn(6, generator=generator).double()
    ours = torch.autograd.grad((seen.rgb, seen.alpha), (density, rgb), asked)
    theirs = torch.autograd.grad((colors, alphas), (density, rgb), asked)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert not seen.depth.requires_grad


def test_what_is_behind_an_opaque_sample_counts_for_nothing() -> None:
    counts = torch.tensor([4])
    density = torch.tensor([0.5, 200.0, 3.0, 3.0], dtype=torch.float64, requires_grad=True)
    rgb = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    ones = torch.ones(4, dtype=torch.float64)
    seen = composite_packed(density, rgb, ones, ones, counts)
    torch.testing.assert_close(seen.alpha, torch.ones(1, dtype=torch.float64))
    for_density, for_rgb = torch.autograd.grad(seen.rgb.sum(), (density, rgb))
    assert for_density[0] != 0 and not for_density[2:].any()
    assert for_rgb[:2].all() and not for_rgb[2:].any()
