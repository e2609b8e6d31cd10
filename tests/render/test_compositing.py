"""Compositing against a loop over samples and against closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from monoform.render import (
    accumulate,
    expected_distance,
    over_background,
    weights_from_alpha,
    weights_from_density,
    weights_from_sdf,
)
from monoform.render.compositing import laplace_density

positive = st.floats(0.0, 50.0)


@given(st.lists(st.tuples(positive, st.floats(0.0, 2.0)), min_size=1, max_size=12))
def test_weights_equal_the_loop_and_sum_to_at_most_one(samples: list[tuple[float, float]]) -> None:
    density, lengths = torch.tensor(samples, dtype=torch.float64).T[:, None]
    weights = weights_from_density(density, lengths)
    transmittance, expected = 1.0, []
    for sigma, length in samples:
        alpha = 1.0 - math.exp(-sigma * length)
        expected.append(transmittance * alpha)
        transmittance *= 1.0 - alpha
    assert torch.allclose(weights[0], torch.tensor(expected, dtype=torch.float64), atol=1e-12)
    assert bool((weights >= 0).all())
    assert float(weights.sum()) <= 1.0 + 1e-12


def test_a_last_interval_of_any_length_keeps_the_digits_of_the_others() -> None:
    """Beside an optical depth of 1e10 a sum in float32 would lose all the rest."""
    density, lengths = torch.tensor([[0.3, 0.2, 1.0]]), torch.tensor([[1.0, 1.0, 1e10]])
    found = weights_from_density(density, lengths)
    exact = weights_from_density(density.double(), lengths.double())
    assert torch.allclose(found.double(), exact, atol=1e-6)
    assert abs(float(found[0, 2]) - math.exp(-0.5)) < 1e-6


@given(st.lists(st.tuples(positive, st.floats(0.0, 2.0)), min_size=1, max_size=12))
def test_weights_from_what_is_stopped_are_those_from_the_density(samples: list[tuple[float, float]]) -> None:
    density, lengths = torch.tensor(samples, dtype=torch.float64).T[:, None]
    stopped = -torch.expm1(-density * lengths)
    assert torch.allclose(weights_from_alpha(stopped), weights_from_density(density, lengths), atol=1e-12)


def test_the_laplace_density_is_half_at_the_surface_and_full_inside() -> None:
    sdf = torch.tensor([-9.0, 0.0, 0.2, 9.0], dtype=torch.float64)
    found = laplace_density(sdf, 0.1, 0.5)
    assert torch.allclose(found, torch.tensor([2.0, 1.0, math.exp(-2.0), 0.0]).double(), atol=1e-9)
    assert torch.allclose(laplace_density(sdf, 0.1), found * 5.0)


@given(positive, st.floats(0.01, 3.0), st.integers(1, 40), st.integers(0, 9))
def test_slab_of_constant_density_is_exact_however_it_is_cut(sigma: float, depth: float, n: int, seed: int) -> None:
    cuts = torch.rand(1, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 1e-3
    lengths = depth * cuts / cuts.sum()
    weights = weights_from_density(torch.full_like(lengths, sigma), lengths)
    assert abs(float(weights.sum()) - (1.0 - math.exp(-sigma * depth))) < 1e-12


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=10), st.floats(0.02, 0.3))
def test_distance_weights_equal_the_paper_written_out(sdf: list[float], beta: float) -> None:
    weights = weights_from_sdf(torch.tensor([sdf], dtype=torch.float64), beta)
    phi = [1.0 / (1.0 + math.exp(-f / beta)) for f in sdf]
    transmittance, expected = 1.0, []
    for here, there in pairwise(phi):
        alpha = max((here - there) / here, 0.0)
        expected.append(transmittance * alpha)
        transmittance *= 1.0 - alpha
    assert torch.allclose(weights[0], torch.tensor(expected, dtype=torch.float64), atol=1e-9)
    assert float(weights.sum()) <= 1.0 + 1e-12


def test_half_is_seen_before_a_surface_however_steeply_it_is_met() -> None:
    distances = torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)[None]
    for slope in (1.0, 0.3):
        weights = weights_from_sdf(slope * (0.6 - distances), 0.005)
        assert abs(float(weights[:, :1200].sum()) - 0.5) < 1e-6
        assert abs(float(weights.sum()) - 1.0) < 1e-6
    touching = weights_from_sdf((distances - 0.6).abs(), 0.005)
    assert abs(float(touching.sum()) - 0.5) < 1e-6


def test_distances_far_from_the_surface_do_not_overflow() -> None:
    sdf = torch.tensor([[300.0, 10.0, -10.0, -300.0]], requires_grad=True)
    weights = weights_from_sdf(sdf, 1e-3)
    assert torch.allclose(weights, torch.tensor([[0.0, 1.0, 0.0]]))
    weights.sum().backward()
    assert bool(torch.isfinite(sdf.grad).all())


def test_color_depth_and_background_by_hand() -> None:
    weights = torch.tensor([[0.5, 0.25], [0.0, 0.0]])
    colors = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]).expand(2, -1, -1)
    rgb = accumulate(weights, colors)
    assert torch.equal(rgb, torch.tensor([[0.5, 0.25, 0.0], [0.0, 0.0, 0.0]]))
    white = over_background(rgb, weights.sum(-1), (1.0, 1.0, 0.0))
    assert torch.equal(white, torch.tensor([[0.75, 0.5, 0.0], [1.0, 1.0, 0.0]]))
    assert torch.equal(expected_distance(weights, torch.tensor([[1.0, 4.0]]).expand(2, -1)), torch.tensor([2.0, 0.0]))


def test_gradients_in_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    density = (5.0 * torch.rand(3, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    lengths = (0.1 + torch.rand(3, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    distances = torch.rand(3, 6, generator=generator, dtype=torch.float64).requires_grad_()
    sdf = (torch.rand(2, 9, generator=generator, dtype=torch.float64) - 0.5).requires_grad_()
    assert gradcheck(weights_from_density, (density, lengths))
    assert gradcheck(lambda w, t: expected_distance(weights_from_density(w, lengths.detach()), t), (density, distances))
    assert gradcheck(lambda s: weights_from_sdf(s, 0.1), (sdf,))


def test_an_empty_ray_has_finite_gradients() -> None:
    density = torch.zeros(2, 4, requires_grad=True)
    weights = weights_from_density(density, torch.ones(2, 4))
    (weights.sum() + expected_distance(weights, torch.ones(2, 4)).sum()).backward()
    assert bool(torch.isfinite(density.grad).all())
