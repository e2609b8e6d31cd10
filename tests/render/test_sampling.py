"""Sample positions: strata, and the inverse of a distribution that is constant in intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monoform import InputError
from monoform.render import RaySampleNoise, RaySampling, importance
from monoform.render.intervals import between, interval_edges, jittered, lengths_to_next, stratified
from monoform.render.sampling import FLOOR, coarse_distances, fine_distances, pooled_weights

NEAR, FAR = torch.tensor([[0.5], [1.0]]).double(), torch.tensor([[2.5], [1.5]]).double()
BINS = RaySampling(importance="bins", intervals="next")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=25)
@given(st.integers(2, 30), st.booleans(), st.integers(0, 999))
def test_there_is_one_coarse_sample_in_each_bin(n: int, disparity: bool, seed: int) -> None:
    sampling = RaySampling(coarse=n, fine=0, spread="disparity" if disparity else "linear")
    for noise in (RaySampleNoise.even(2, sampling), RaySampleNoise.random(2, sampling, seeded(seed))):
        found = coarse_distances(NEAR, FAR, noise.to(NEAR).strata, sampling)
        edges = between(NEAR, FAR, torch.linspace(0, 1, n + 1).double(), sampling.spread)
        assert bool((found >= edges[:, :-1] - 1e-9).all()) and bool((found <= edges[:, 1:] + 1e-9).all())


def test_middles_without_a_generator_and_the_same_draws_for_a_seed() -> None:
    sampling = RaySampling(coarse=2, fine=0)
    even = coarse_distances(NEAR, FAR, RaySampleNoise.even(2, sampling).to(NEAR).strata, sampling)
    assert torch.allclose(even[0], torch.tensor([1.0, 2.0]).double())
    first, second = (RaySampleNoise.random(3, sampling, seeded(3)) for _ in range(2))
    assert torch.equal(first.strata, second.strata) and not torch.equal(first.strata, first.strata.flip(0))


@settings(max_examples=25)
@given(st.integers(3, 20), st.booleans(), st.integers(0, 99))
def test_ends_are_included_and_samples_move_within_the_middles(n: int, disparity: bool, seed: int) -> None:
    sampling = RaySampling(
        coarse=n, fine=0, strata="ends", importance="inner", spread="disparity" if disparity else "linear"
    )
    even = coarse_distances(NEAR, FAR, RaySampleNoise.even(2, sampling).to(NEAR).strata, sampling)
    exact = between(NEAR, FAR, torch.linspace(0, 1, n).double(), sampling.spread)
    torch.testing.assert_close(even[:, [0, -1]], torch.cat((NEAR, FAR), dim=1))
    if not disparity:
        torch.testing.assert_close(even, exact)
    moved = jittered(exact, torch.rand(2, n, generator=seeded(seed)).double())
    edges = interval_edges(exact, NEAR, FAR)
    assert bool((moved >= edges[:, :-1]).all()) and bool((moved <= edges[:, 1:]).all())


def test_intervals_cover_the_ray() -> None:
    places = torch.rand(2, 7, generator=seeded()).double()
    distances = between(NEAR, FAR, stratified(places))
    edges = interval_edges(distances, NEAR, FAR)
    assert torch.allclose(edges.diff(dim=-1).sum(-1, keepdim=True), FAR - NEAR)
    assert bool((edges[:, :-1] <= distances).all()) and bool((distances <= edges[:, 1:]).all())
    for last, rest in (("far", FAR - distances[:, :1]), ("zero", distances[:, -1:] - distances[:, :1])):
        assert torch.allclose(lengths_to_next(distances, FAR, last).sum(-1, keepdim=True), rest)
    assert float(lengths_to_next(distances, FAR, "endless")[0, -1]) >= 1e10


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=8), st.integers(1, 16), st.integers(0, 99))
def test_importance_equals_interpolating_the_cumulative_sum(weights: list[float], n: int, seed: int) -> None:
    w = torch.tensor([weights], dtype=torch.float64)
    edges = torch.cat((torch.zeros(1, 1), torch.cumsum(torch.linspace(0.5, 1.5, len(weights)), 0)[None]), -1).double()
    levels = stratified(torch.rand(1, n, generator=seeded(seed), dtype=torch.float64))
    drawn = importance(edges, w, levels)
    cumulative = np.concatenate(([0.0], np.cumsum(np.array(weights) + FLOOR)))
    cumulative /= cumulative[-1]
    # An interval whose share is below the floor gives its start, as published: by no more is the level missed.
    again = np.interp(drawn[0].numpy(), edges[0].numpy(), cumulative)
    assert np.allclose(again, levels[0].numpy(), atol=FLOOR, rtol=0)
    plain = (np.diff(cumulative) >= FLOOR)[np.searchsorted(cumulative, levels[0].numpy(), side="right") - 1]
    expected = np.interp(levels[0].numpy(), cumulative, edges[0].numpy())
    assert np.allclose(drawn[0].numpy()[plain], expected[plain], atol=1e-9)
    assert bool((drawn.diff(dim=-1) >= 0).all())


def test_draws_follow_the_weights() -> None:
    weights = torch.tensor([[1.0, 0.0, 3.0, 4.0]]).repeat(200, 1)
    edges = torch.arange(5.0).repeat(200, 1)
    drawn = importance(edges, weights, stratified(torch.rand(200, 100, generator=seeded())))
    share = torch.histc(drawn, bins=4, min=0.0, max=4.0) / drawn.numel()
    assert torch.allclose(share, torch.tensor([0.125, 0.0, 0.375, 0.5]), atol=0.005)


def test_rays_without_weight_are_sampled_evenly_and_nothing_flows_back() -> None:
    edges = torch.linspace(1.0, 2.0, 6)[None].requires_grad_()
    drawn = importance(edges, torch.zeros(1, 5), stratified(torch.full((1, 10), 0.5)))
    assert torch.allclose(drawn, torch.linspace(1.05, 1.95, 10)[None], atol=1e-5)
    assert not drawn.requires_grad


def drawn_in_bins(weights: torch.Tensor, count: int) -> torch.Tensor:
    near, far = torch.full((1, 1), 0.8).double(), torch.full((1, 1), 1.8).double()
    sampling = RaySampling(coarse=weights.shape[1], fine=count, importance="bins", intervals="next")
    noise = RaySampleNoise.random(1, sampling, seeded()).to(near)
    distances = coarse_distances(near, far, noise.strata, sampling)
    return fine_distances(near, far, distances, weights, torch.zeros(1).double(), noise, sampling)[0]


def test_bins_are_drawn_by_their_weights_and_the_place_within_anew() -> None:
    weights = torch.tensor([[0.0, 0.6, 0.0, 0.3, 0.1]]).double()
    drawn = drawn_in_bins(weights, 40_000)
    shares = torch.histc((drawn - 0.8).float(), 5, 0, 1) / 40_000
    torch.testing.assert_close(shares, weights[0].float(), atol=0.01, rtol=0)
    within = (drawn - 0.8) * 5 % 1
    quarters = torch.histc(within.float(), 4, 0, 1) / 40_000
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.01, rtol=0)


def test_depth_samples_stay_between_near_and_far_and_spread_as_asked() -> None:
    near, far = torch.full((1, 1), 0.8).double(), torch.full((1, 1), 1.8).double()
    sampling = RaySampling(coarse=4, fine=20_000, around_depth=20_000, depth_std=0.05)
    noise = RaySampleNoise.random(1, sampling, seeded()).to(near)
    weights = torch.ones(1, 4).double()
    distances = coarse_distances(near, far, noise.strata, sampling)
    around = fine_distances(near, far, distances, weights, torch.tensor([1.3]).double(), noise, sampling)
    assert float(around.mean()) == pytest.approx(1.3, abs=2e-3) and float(around.std()) == pytest.approx(0.05, rel=0.03)
    clamped = fine_distances(near, far, distances, weights, torch.tensor([0.0]).double(), noise, sampling)
    assert torch.equal(clamped, near.expand_as(clamped))


def test_even_draws_are_the_middles() -> None:
    noise = RaySampleNoise.even(2, RaySampling(coarse=4, fine=6, around_depth=2, importance="bins"))
    assert (noise.strata == 0.5).all() and (noise.within == 0.5).all()
    torch.testing.assert_close(noise.levels[0], torch.tensor([0.125, 0.375, 0.625, 0.875]))
    # A quarter and three quarters of the normal distribution.
    torch.testing.assert_close(noise.normal[1], torch.tensor([-0.67449, 0.67449]), atol=1e-4, rtol=0)


def test_pooling_widens_a_peak_to_its_neighbors() -> None:
    """max of pairs (0 0 1 1 0 0), then the mean of pairs."""
    found = pooled_weights(torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]]))
    assert torch.allclose(found, torch.tensor([[0.01, 0.51, 1.01, 0.51, 0.01]]))


def test_impossible_counts_are_refused() -> None:
    for counts in ({"coarse": 0}, {"fine": 4, "around_depth": 5}, {"fine": -1}, {"coarse": 2, "importance": "inner"}):
        with pytest.raises(InputError, match="Samples per ray"):
            RaySampling(**counts)
    with pytest.raises(InputError, match="beta"):
        RaySampling(beta=0.0)
