"""Sample positions: strata, and the inverse of a piecewise constant density."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from monoform.render import importance, interval_edges, stratified

NEAR, FAR = torch.tensor([0.5, 1.0]).double(), torch.tensor([2.5, 1.5]).double()


@given(st.integers(1, 20), st.one_of(st.none(), st.integers(0, 99)))
def test_every_part_has_one_sample(n: int, seed: int | None) -> None:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    distances = stratified(NEAR, FAR, n, generator)
    part = (distances - NEAR[:, None]) / (FAR - NEAR)[:, None] * n
    assert torch.equal(part.clamp(0, n - 1e-9).floor(), torch.arange(n).double().expand(2, -1))


def test_middles_without_a_generator_and_the_same_draws_for_a_seed() -> None:
    assert torch.allclose(stratified(NEAR, FAR, 2)[0], torch.tensor([1.0, 2.0]).double())
    first, second = (stratified(NEAR, FAR, 8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, stratified(NEAR, FAR, 8))


def test_intervals_cover_the_ray() -> None:
    distances = stratified(NEAR, FAR, 7, torch.Generator().manual_seed(0))
    edges = interval_edges(distances, NEAR, FAR)
    assert torch.allclose(edges.diff(dim=-1).sum(-1), FAR - NEAR)
    assert bool((edges[:, :-1] <= distances).all()) and bool((distances <= edges[:, 1:]).all())


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=8), st.integers(1, 16), st.integers(0, 99))
def test_importance_equals_interpolating_the_cumulative_sum(weights: list[float], n: int, seed: int) -> None:
    w = torch.tensor([weights], dtype=torch.float64)
    edges = torch.cat((torch.zeros(1, 1), torch.cumsum(torch.linspace(0.5, 1.5, len(weights)), 0)[None]), -1).double()
    drawn = importance(edges, w, n, torch.Generator().manual_seed(seed))
    levels = torch.rand(1, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    cumulative = np.concatenate(([0.0], np.cumsum(np.array(weights) + 1e-5)))
    expected = np.interp((np.arange(n) + levels[0].numpy()) / n, cumulative / cumulative[-1], edges[0].numpy())
    # Where the density is nearly 0 the inverse is steep: compare what was asked for, the levels.
    again = np.interp(drawn[0].numpy(), edges[0].numpy(), cumulative / cumulative[-1])
    assert np.allclose(again, (np.arange(n) + levels[0].numpy()) / n, atol=1e-9)
    assert np.allclose(drawn[0].numpy(), expected, atol=1e-6)
    assert bool((drawn.diff(dim=-1) >= 0).all())


def test_draws_follow_the_weights() -> None:
    weights = torch.tensor([[1.0, 0.0, 3.0, 4.0]]).repeat(200, 1)
    edges = torch.arange(5.0).repeat(200, 1)
    drawn = importance(edges, weights, 100, torch.Generator().manual_seed(0))
    share = torch.histc(drawn, bins=4, min=0.0, max=4.0) / drawn.numel()
    assert torch.allclose(share, torch.tensor([0.125, 0.0, 0.375, 0.5]), atol=0.005)


def test_rays_without_weight_are_sampled_evenly_and_nothing_flows_back() -> None:
    edges = torch.linspace(1.0, 2.0, 6)[None].requires_grad_()
    drawn = importance(edges, torch.zeros(1, 5), 10)
    assert torch.allclose(drawn, torch.linspace(1.05, 1.95, 10)[None], atol=1e-5)
    assert not drawn.requires_grad
